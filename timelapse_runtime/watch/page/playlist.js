// A media playlist as the frames that it shows. Source: RFC 8216 (August 2017), section 4.

const LEFT_OUT = "#left-out:";
const SEGMENT_NAME = /(\d{8,})-(\d+)-[^/]*\.m4s$/;

// A reel, as far as one version of its playlist shows it. Each segment: {url, range, first, count, start, captured}:
// `range` is [start, end) in bytes or null, `first` a frame number, `captured` milliseconds or null. `leftOut` are the notes
// of what did not become a frame (`model/left_out.py`).
export class Reel {
  constructor(name, fps, map, segments, isClosed, text, leftOut) {
    Object.assign(this, { name, fps, map, segments, isClosed, text, leftOut });
    const last = segments.at(-1);
    this.frameCount = last.first + last.count;
  }

  segmentAt(frame) {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.segments[middle].first <= frame) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

// `fps` is needed if the segments' names do not tell their frames (ranges); `leftOut` if the playlist does not tell it. Null
// if there is no segment.
export function parsePlaylist(text, url, { isClosed = false, fps = null, leftOut = [] } = {}) {
  const lines = text.split(/\r?\n/);
  const segments = [];
  const notes = [...leftOut];
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
    const count = named ? Number(named[2]) : Math.round(duration * fps);
    fps ??= Math.round(count / duration);
    segments.push({ url: segmentUrl, range, first: frames, count, start: frames / fps, captured });
    frames += count;
    [captured, range] = [null, null];
    absolute.push(segmentUrl);
  }
  if (!segments.length || !map) return null;
  const parts = map.url.split("/");
  const name = decodeURIComponent(parts[parts.length - 2]);
  return new Reel(name, fps, map, segments, isClosed, absolute.join("\n"), notes);
}

function byteRange(text) {
  const match = /^(\d+)@(\d+)$/.exec(text ?? "");
  return match ? [Number(match[2]), Number(match[2]) + Number(match[1])] : null;
}
