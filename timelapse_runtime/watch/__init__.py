"""The watch page: a gallery of streams and a player, and the server that shows it on this machine.

`page/` has the page's files as they are served: no build step. They read what the function writes (playlists, reels,
`latest.jpg`) and `watch/streams.json`, which is made here because a page may not list a bucket. A server adds what only
someone with credentials can read: all reels, and the photos.

    files    the page's files, with their types
    streams  which streams there are, and what is known of each
    site     a request's answer, without a socket
    server   HTTP on this machine
    publish  the page's files in the video bucket
"""
