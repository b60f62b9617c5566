// When each frame of one reel is on the screen, in seconds of the video. A frame is shown for as long as others, or, in a
// reel by capture times, until the next photo was taken: then only a segment's bytes tell when its frames are shown.
// Until they are read, the frames of a segment are taken for even.

import { shownTimes } from "./provenance.js";

const ROUNDING_SECONDS = 0.001; // times are rounded to ticks

export class Timeline {
  constructor() {
    this.clear();
  }

  clear() {
    this.times = new Map(); // a segment's index -> when its frames are shown, of as many as were read
    this.delay = null; // how much later than `number / fps` an even frame is shown: encoders with B-frames, no edit list
    this.isHeld = false; // frames were read that are not even
  }

  // Take a segment's bytes, or those at its beginning.
  learn(reel, index, init, buffer) {
    const times = shownTimes(init, buffer);
    if (times.length <= this.knownCount(index)) return;
    this.times.set(index, times);
    const { first } = reel.segments[index];
    this.delay ??= times[0] - first / reel.fps;
    this.isHeld ||= times.some((time, place) => Math.abs((time - this.delay) * reel.fps - first - place) > 0.25);
  }

  // Of a segment's frames, for how many it is known when they are shown.
  knownCount(index) {
    return this.times.get(index)?.length ?? 0;
  }

  // Whether it is known of this frame, or follows from its number.
  isKnown(reel, frame) {
    const index = reel.segmentAt(frame);
    return this.isEven(reel) || frame - reel.segments[index].first < this.knownCount(index);
  }

  // Whether each frame is shown for as long as the others, as far as it is known.
  isEven(reel) {
    return reel.isEven && !this.isHeld;
  }

  // A time at which the frame is on the screen: no rounding leads to its neighbour. Of a frame that may be held, just after
  // its beginning: a browser takes it for ended when its sample's duration, which is that of another frame, has passed.
  secondsOf(reel, frame) {
    if (this.isEven(reel)) return (frame + 0.5) / reel.fps + (this.delay ?? 0);
    const index = reel.segmentAt(frame);
    const { first, count, start, duration } = reel.segments[index];
    const time = this.times.get(index)?.[frame - first];
    return time === undefined ? start + ((frame - first + 0.5) * duration) / count : time + 2 * ROUNDING_SECONDS;
  }

  // The frame that is on the screen at that time.
  frameAt(reel, seconds) {
    return Math.min(Math.max(this.#frameAt(reel, seconds), 0), reel.frameCount - 1);
  }

  #frameAt(reel, seconds) {
    if (this.isEven(reel)) return Math.floor((seconds - (this.delay ?? 0)) * reel.fps + 0.25);
    // A segment's first frame is shown at its start by the playlist, or later: the frame before it is held.
    for (let index = reel.segmentAtTime(seconds + ROUNDING_SECONDS); index >= 0; index -= 1) {
      const { first, count, start, duration } = reel.segments[index];
      const times = this.times.get(index);
      if (!times) return first + Math.min(count - 1, Math.floor(((seconds - start) * count) / duration));
      const shown = times.filter((time) => time <= seconds + ROUNDING_SECONDS).length;
      if (shown) return first + Math.min(shown, count) - 1;
    }
    return 0;
  }

  // How long the video takes from this frame to its end.
  secondsLeft(reel, frame) {
    return Math.max(reel.seconds - this.secondsOf(reel, frame), 0);
  }
}
