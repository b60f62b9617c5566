// What is stored: each request, and what its failure means.

export class Failure extends Error {
  // kind: "missing" (404), "denied" (401, 403), "offline" (no answer), "failed" (anything else).
  constructor(kind, url, detail) {
    super(`${url}: ${detail}`);
    this.kind = kind;
  }
}

const KINDS = { 401: "denied", 403: "denied", 404: "missing", 410: "missing" };

export async function request(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    throw new Failure("offline", url, error.message);
  }
  if (!response.ok) throw new Failure(KINDS[response.status] ?? "failed", url, `status ${response.status}`);
  return response;
}

export async function requestBytes(url, options) {
  const response = await request(url, options);
  try {
    return await response.arrayBuffer();
  } catch (error) {
    throw new Failure("offline", url, error.message);
  }
}

// The bytes of `range`, [start, end), or all if it is null.
export function requestRange(url, range) {
  return requestBytes(url, range ? { headers: { Range: `bytes=${range[0]}-${range[1] - 1}` } } : {});
}

// Which pictures of the day a reel has: `video.m3u8` and `reel.json` say it in their metadata (`stored_reels.PICTURES`).
function picturesNamed(response) {
  return (response.headers.get("x-amz-meta-pictures") ?? "").split(" ").filter(Boolean);
}

// One stream's objects. The page lies in a folder beside the streams' folders.
export class Stream {
  constructor(name, isServed) {
    this.name = name;
    this.isServed = isServed; // by `timelapse watch`: details and photos can be had
    this.url = new URL(`../${encodeURIComponent(name)}/`, document.baseURI).href;
  }

  // The newest reel's playlist, and the server's time: clocks of viewers are often wrong.
  async newest() {
    const url = new URL("video.m3u8", this.url).href;
    const response = await request(url, { cache: "no-cache" });
    const now = Date.parse(response.headers.get("Date") ?? "");
    return { url, text: await response.text(), pictures: picturesNamed(response), nowEpochMs: Number.isNaN(now) ? Date.now() : now };
  }

  // A closed reel's playlist: its segments, or, if they are gone, ranges of its video.mp4.
  async closed(reel, inRanges = false) {
    const url = new URL(`reels/${encodeURIComponent(reel)}/${inRanges ? "video" : "index"}.m3u8`, this.url).href;
    const response = await request(url, { cache: "no-cache" });
    return { url, text: await response.text() };
  }

  // What a closed reel was when it closed: fps, frames, and which reel came before it.
  async manifest(reel) {
    const response = await request(new URL(`reels/${encodeURIComponent(reel)}/reel.json`, this.url), { cache: "no-cache" });
    return { ...(await response.json()), pictures: picturesNamed(response) };
  }

  // The reel that closed last, or null. The newest reel has no manifest that would name the one before it, so this is
  // where the chain of manifests begins if nothing lists the reels.
  async lastClosed() {
    try {
      const response = await request(new URL("week.m3u8", this.url), { cache: "no-cache" });
      const name = /.*#EXT-X-MAP:URI="reels\/([^/"]+)\//s.exec(await response.text())?.[1];
      return name === undefined ? null : decodeURIComponent(name);
    } catch (failure) {
      if (failure.kind === "offline") throw failure;
      return null; // none has closed, or an earlier version closed it
    }
  }

  latestUrl() {
    return new URL("latest.jpg", this.url).href;
  }

  async details() {
    if (!this.isServed) return { reels: null, photos: null };
    const name = encodeURIComponent(this.name);
    const response = await request(new URL(`details/${name}.json`, document.baseURI), { cache: "no-cache" });
    return response.json();
  }

  photoUrl(photo) {
    if (!this.isServed) return null;
    const key = photo.key.split("/").map(encodeURIComponent).join("/");
    const url = new URL(`photos/${encodeURIComponent(this.name)}/${key}`, document.baseURI);
    if (photo.etag) url.searchParams.set("etag", photo.etag);
    return url.href;
  }
}

// {streams, isServed}
export async function readStreams() {
  const response = await request(new URL("streams.json", document.baseURI), { cache: "no-cache" });
  const found = await response.json();
  return { streams: found.streams.map((name) => new Stream(name, found.is_served)), isServed: found.is_served };
}
