// One video element that shows one version of a reel. hls.js feeds it; without Media Source Extensions (iPhones before
// iOS 17.1) the browser's own player does.

import { withOwnDurations, withoutEdits } from "./held.js";
import Hls from "./hls-1.7.4.light.min.mjs";
import { timing } from "./provenance.js";

const AHEAD_SECONDS = 30;
const TRIES = 3;

// hls.js's loader. `change(index, buffer)` is given a segment's bytes, or those of the init segment, whose index is null; the
// player gets what it answers.
//
// hls.js (1.7) gives a segment another place in the video if its first sample is decoded a second or more from where its
// first frame was to be shown, which it is where frames are held. The times in our segments are right: it leaves those as
// they are that it takes for the second part of a segment, but for the first one that it reads.
function loader(change) {
  return class extends Hls.DefaultConfig.loader {
    load(context, config, callbacks) {
      const onSuccess = async (response, stats, ...rest) => {
        stats.chunkCount = 1;
        const { sn } = context.frag;
        const data = await change(sn === "initSegment" ? null : sn, response.data);
        if (!this.isAborted) callbacks.onSuccess({ ...response, data }, stats, ...rest);
      };
      super.load(context, config, { ...callbacks, onSuccess });
    }

    abort() {
      this.isAborted = true;
      super.abort();
    }

    destroy() {
      this.isAborted = true;
      super.destroy();
    }
  };
}

export class Deck {
  // `photos` are told of the segments that come. onFrame(frame): it is on the screen. onEnded(), onError(error).
  constructor(photos, { ahead = AHEAD_SECONDS, onFrame = null, onEnded = null, onError = null } = {}) {
    Object.assign(this, { photos, ahead, onFrame, onEnded, onError });
    this.reel = null;
    this.video = document.createElement("video");
    Object.assign(this.video, { muted: true, playsInline: true, preload: "auto", disablePictureInPicture: true });
    this.video.setAttribute("aria-hidden", "true"); // the controls beside it tell what it shows
    this.video.tabIndex = -1;
    this.video.addEventListener("ended", () => this.onEnded?.());
    this.watchesFrames = "requestVideoFrameCallback" in this.video;
    if (!this.watchesFrames) this.video.addEventListener("timeupdate", () => this.#shown(this.video.currentTime));
  }

  // Show `frame` of `reel`, which `photos` has; done when it is on the screen, or false if another call came meanwhile.
  // Throws if the video cannot be played.
  async open(reel, frame) {
    this.close();
    this.reel = reel;
    const turn = (this.turn = {});
    const { timescale, start } = timing(this.photos.init);
    this.isHeld = !this.photos.timeline.isEven(reel) && Hls.isSupported();
    this.delay = this.isHeld ? start / timescale : 0; // hls.js's times are those without the edit list
    this.url = URL.createObjectURL(new Blob([withExactDurations(reel.text, timescale)], { type: "application/vnd.apple.mpegurl" }));
    const failed = new Promise((_, reject) => (this.fail = reject));
    failed.catch(() => {});
    const loaded = once(this.video, "loadedmetadata");
    if (Hls.isSupported()) this.#attach(this.timeOf(frame));
    else this.video.src = this.url;
    await Promise.race([loaded, failed]);
    for (let left = TRIES; left > 0 && this.turn === turn; left -= 1) {
      // The length grows with what is loaded, so that the last frame may be reached at the second try only.
      const done = once(this.video, "seeked");
      this.video.currentTime = this.timeOf(frame);
      await Promise.race([done, failed]);
      if (this.photos.timeline.frameAt(reel, this.video.currentTime - this.delay) === frame) break;
    }
    if (this.turn !== turn) return false;
    this.#watch(turn);
    return true;
  }

  #attach(startPosition) {
    this.hls = new Hls({
      enableWorker: false,
      fLoader: loader((index, buffer) => this.#change(index, buffer)),
      startPosition,
      maxBufferLength: this.ahead,
      backBufferLength: 60,
    });
    this.hls.on(Hls.Events.ERROR, (_, data) => {
      if (!data.fatal) return;
      const error = new Error(`${data.details}: ${data.error?.message ?? ""}`);
      this.fail(error);
      this.onError?.(error);
    });
    this.hls.loadSource(this.url);
    this.hls.attachMedia(this.video);
  }

  async #change(index, buffer) {
    const { reel, isHeld } = this;
    if (index === null) return isHeld ? withoutEdits(buffer) : buffer;
    await this.photos.take(reel.name, index, buffer).catch(() => {});
    if (!isHeld) return buffer;
    return withOwnDurations(buffer, await this.photos.endOf(reel, index, buffer));
  }

  #watch(turn) {
    if (!this.watchesFrames) return;
    this.video.requestVideoFrameCallback((_, { mediaTime }) => {
      if (this.turn !== turn) return;
      this.#shown(mediaTime);
      this.#watch(turn);
    });
  }

  #shown(seconds) {
    if (!this.reel) return;
    this.onFrame?.(this.photos.timeline.frameAt(this.reel, seconds - this.delay));
  }

  timeOf(frame) {
    return this.photos.timeline.secondsOf(this.reel, frame) + this.delay;
  }

  // Frames that were asked for while the player was still seeking are left out, but for the last.
  async seek(frame) {
    this.wanted = frame;
    if (this.isSeeking || !this.reel) return;
    this.isSeeking = true;
    const { turn } = this;
    while (this.wanted !== null) {
      const next = this.wanted;
      // Without the segment, a frame near by is shown.
      if (!this.photos.timeline.isKnown(this.reel, next)) await this.photos.load(next).catch(() => {});
      if (this.turn !== turn) return;
      if (this.wanted !== next) continue;
      const done = once(this.video, "seeked");
      this.video.currentTime = this.timeOf(next);
      this.wanted = null;
      await done;
      if (this.turn !== turn) return;
    }
    this.isSeeking = false;
  }

  get isAtEnd() {
    return this.video.ended;
  }

  close() {
    this.turn = this.wanted = null;
    this.hls?.destroy();
    this.hls = null;
    this.isSeeking = false;
    this.video.pause();
    if (this.url) {
      URL.revokeObjectURL(this.url);
      this.video.removeAttribute("src");
      this.video.load();
    }
    this.url = this.reel = null;
  }
}

// Rounded durations would add up: the first frame would lie before the beginning, where players drop it.
function withExactDurations(text, timescale) {
  return text.replace(/^#EXTINF:([\d.]+)/gm, (_, seconds) => `#EXTINF:${Math.round(Number(seconds) * timescale) / timescale}`);
}

function once(target, type) {
  return new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
}
