// Which photo is behind which frame of one reel, and when it was taken: exact where a segment's bytes were seen, else
// between the times that the playlist gives for the segments.

import { readProvenance, shownTimes, timing } from "./provenance.js";
import { requestRange } from "./source.js";
import { Timeline } from "./timeline.js";

const LEAST_GAP_MS = 3_000;
const GAP_FACTOR = 5;
const HEAD_BYTES = 32_768; // of a segment: more than its first header and what names its photos
const LEAST_FRAME_SECONDS = 1 / 60; // how long the last frame of all is shown, at least

export class Photos {
  // onLearned(): photos of more frames are known.
  constructor(onLearned = null) {
    this.onLearned = onLearned;
    this.reel = null;
    this.byNumber = new Map();
    this.whole = new Map(); // segment's index -> how many of its frames are known
    this.cached = new Map(); // segment's index -> how many of its frames the browser has in its cache
    this.loading = new Map();
    this.init = null;
    this.timeline = new Timeline();
  }

  // Another version of the same reel, or another reel.
  show(reel) {
    if (this.reel?.map.url !== reel.map.url) { // another reel, or the same one made again
      for (const seen of [this.byNumber, this.whole, this.cached, this.loading]) seen.clear();
      this.init = null;
      this.timeline.clear();
    }
    this.reel = reel;
    this.paceKnown = null;
  }

  at(frame) {
    return this.byNumber.get(frame) ?? null;
  }

  // Whether all of a segment's bytes were read.
  isCached(index) {
    return (this.cached.get(index) ?? 0) >= this.reel.segments[index].count;
  }

  #isKnown(index) {
    const count = Math.min(this.whole.get(index) ?? 0, this.timeline.knownCount(index));
    return count >= this.reel.segments[index].count;
  }

  // {epochMs, isExact}; null if nothing is known.
  timeAt(frame) {
    const photo = this.at(frame);
    if (photo) return { epochMs: photo.capturedEpochMs, isExact: true };
    const segments = this.reel.segments;
    let index = this.reel.segmentAt(frame);
    while (index > 0 && segments[index].captured === null) index -= 1;
    const begin = segments[index];
    if (begin.captured === null) return null;
    const next = segments.slice(index + 1).find((segment) => segment.captured !== null);
    const each = next ? (next.captured - begin.captured) / (next.first - begin.first) : this.pace();
    return { epochMs: begin.captured + (frame - begin.first) * (each ?? 0), isExact: frame === begin.first };
  }

  // The usual time between two photos in milliseconds (the median), or null.
  pace() {
    if (this.paceKnown !== null) return this.paceKnown;
    const steps = [];
    const timed = this.reel.segments.filter((segment) => segment.captured !== null);
    timed.slice(1).forEach((segment, index) => {
      const before = timed[index];
      steps.push((segment.captured - before.captured) / (segment.first - before.first));
    });
    for (const [number, photo] of this.byNumber) {
      const before = this.byNumber.get(number - 1);
      if (before) steps.push(photo.capturedEpochMs - before.capturedEpochMs);
    }
    const found = steps.filter((step) => step >= 0).sort((one, other) => one - other);
    this.paceKnown = found.length ? found[found.length >> 1] : null;
    return this.paceKnown;
  }

  // [{frame, fromEpochMs, toEpochMs}]: before `frame` no photo came for much longer than usual. A segment that was not
  // read is one gap if it took much longer than its photos should.
  gaps() {
    const pace = this.pace();
    if (pace === null) return [];
    const least = Math.max(LEAST_GAP_MS, pace * GAP_FACTOR);
    const found = [];
    this.reel.segments.forEach((segment, index) => {
      const next = this.reel.segments[index + 1];
      if (this.#isKnown(index)) {
        for (let frame = Math.max(segment.first, 1); frame < segment.first + segment.count; frame += 1) {
          const [before, after] = [this.timeAt(frame - 1), this.at(frame).capturedEpochMs];
          if (before?.isExact && after - before.epochMs >= least) found.push({ frame, fromEpochMs: before.epochMs, toEpochMs: after });
        }
      } else if (next && segment.captured !== null && next.captured !== null) {
        const missing = next.captured - segment.captured - segment.count * pace;
        if (missing >= least) found.push({ frame: segment.first, fromEpochMs: segment.captured, toEpochMs: next.captured });
      }
    });
    return found;
  }

  // Take a segment's bytes, which a player has read, or (`isHead`) those at its beginning.
  async take(reelName, index, buffer, isHead = false) {
    const segment = this.reel?.segments[index];
    if (this.reel?.name !== reelName || !segment) return;
    if (this.init) this.timeline.learn(this.reel, index, this.init, buffer);
    const frames = await readProvenance(buffer);
    if (this.reel?.name !== reelName) return;
    for (const frame of frames) this.byNumber.set(frame.number, frame);
    if (!isHead) this.cached.set(index, frames.length);
    this.whole.set(index, Math.max(this.whole.get(index) ?? 0, frames.length));
    this.paceKnown = null;
    this.onLearned?.();
  }

  // The tick, in the track's own time, at which the next segment's first frame is shown after the last one of these bytes.
  async endOf(reel, index, buffer) {
    const { timescale, start } = timing(this.init);
    const last = shownTimes(this.init, buffer).at(-1);
    const next = index + 1 < reel.segments.length ? await this.#beginning(reel, index + 1).catch(() => null) : null;
    return Math.round((next ?? last + LEAST_FRAME_SECONDS) * timescale) + start;
  }

  // When a segment's first frame is shown.
  async #beginning(reel, index) {
    const { url, range } = reel.segments[index];
    if (this.timeline.knownCount(index) === 0) {
      const from = range ? range[0] : 0;
      const head = await requestRange(url, [from, Math.min(from + HEAD_BYTES, range ? range[1] : Infinity)]);
      await this.take(reel.name, index, head, true);
    }
    return this.timeline.times.get(index)[0];
  }

  // The photo of a frame, after its segment was read if need be. Raises Failure.
  async load(frame) {
    const index = this.reel.segmentAt(frame);
    const segment = this.reel.segments[index];
    if (!this.#isKnown(index)) {
      const key = `${segment.url} ${segment.range}`;
      if (!this.loading.has(key)) this.loading.set(key, this.#read(this.reel.name, index, segment).finally(() => this.loading.delete(key)));
      await this.loading.get(key);
    }
    return this.at(frame);
  }

  async #read(reelName, index, segment) {
    await this.loadInit();
    await this.take(reelName, index, await requestRange(segment.url, segment.range));
  }

  async loadInit() {
    const map = this.reel.map;
    const init = this.init ?? (await requestRange(map.url, map.range));
    if (map.url === this.reel.map.url) this.init = init;
  }
}
