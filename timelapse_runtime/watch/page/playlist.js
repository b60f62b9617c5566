// A media playlist as the frames that it shows. Source: RFC 8216 (August 2017), section 4.

const LEFT_OUT = "#left-out:";
const SEGMENT_NAME = /(\d{8,})-(\d+)-[^/]*\.m4s$/;

// A reel, as far as one version of its playlist shows it. Each segment: {url, range, first, count, start, duration,
// captured}: `range` is [start, end) in bytes or null, `first` a frame number, `start` and `duration` seconds, `captured`
// milliseconds or null. `leftOut` are the notes of what did not become a frame (`model/left_out.py`).
//
// `isEven` says that each frame is shown for `1 / fps` seconds, as far as the segments' durations tell. In another reel,
// frames are shown as their photos were taken (Timeline), and `fps` is the mean. `seconds` is how long the reel takes.
export class Reel {
  constructor(name, fps, map, segments, isClosed, text, leftOut) {
    Object.assign(this, { name, fps, map, segments, isClosed, text, leftOut });
    const last = segments.at(-1);
    this.frameCount = last.first + last.count;
    this.isEven = segments.every(({ count, duration }) => Math.abs(count - duration * fps) < 0.5);
    this.seconds = last.start + last.duration;
    if (!this.isEven) this.fps = this.frameCount / this.seconds;
  }

  segmentAt(frame) {
    return this.#lastWhere((segment) => segment.first <= frame);
  }

  segmentAtTime(seconds) {
    return this.#lastWhere((segment) => segment.start <= seconds);
  }

  #lastWhere(isBefore) {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (isBefore(this.segments[middle])) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

// `manifest`, the reel's, is needed if the segments' names do not tell their frames (ranges), and has the notes of what was
// left out. Null if there is no segment.
export function parsePlaylist(text, url, { isClosed = false, manifest = null } = {}) {
  const lines = text.split(/\r?\n/);
  const segments = [];
  const notes = [...(manifest?.left_out ?? [])];
  let fps = manifest?.fps ?? null;
  let seconds = 0;
  const absolute = [];
  let map = null;
  let duration = 0;
  let captured = null;
  let range = null;
  let frames = 0;
  for (const line of lines) {
    if (line.startsWith("#EXT-X-MAP:")) {
      map = { url: new URL(/URI="([^"]*)"/.exec(line)[1], url).href, range: byteRange(/BYTERANGE="([^"]*)"/.exec(line)?.[1]) };
      absolute.push(line.replace(/URI="[^"]*"/, `URI="${map.url}"`));
      continue;
    }
    if (line.startsWith("#EXTINF:")) duration = Number.parseFloat(line.slice(8));
    else if (line.startsWith("#EXT-X-PROGRAM-DATE-TIME:")) captured = Date.parse(line.slice(25));
    else if (line.startsWith("#EXT-X-BYTERANGE:")) range = byteRange(line.slice(17));
    if (line.startsWith(LEFT_OUT)) {
      notes.push(JSON.parse(line.slice(LEFT_OUT.length)));
      continue;
    }
    if (line === "" || line.startsWith("#")) {
      absolute.push(line);
      continue;
    }
    const segmentUrl = new URL(line, url).href;
    const named = SEGMENT_NAME.exec(segmentUrl);
    const count = named ? Number(named[2]) : manifest.segments[segments.length].count;
    fps ??= Math.max(1, Math.round(count / duration));
    segments.push({ url: segmentUrl, range, first: frames, count, start: seconds, duration, captured });
    frames += count;
    seconds += duration;
    [captured, range] = [null, null];
    absolute.push(segmentUrl);
  }
  if (!segments.length || !map) return null;
  // One that was made again has its objects in a folder of its own below the reel's.
  const name = decodeURIComponent(/.*\/reels\/([^/]+)\//.exec(map.url)[1]);
  return new Reel(name, fps, map, segments, isClosed, absolute.join("\n"), notes);
}

function byteRange(text) {
  const match = /^(\d+)@(\d+)$/.exec(text ?? "");
  return match ? [Number(match[2]), Number(match[2]) + Number(match[1])] : null;
}
