// One video element that shows one version of a reel. hls.js feeds it; without Media Source Extensions (iPhones before
// iOS 17.1) the browser's own player does.

import Hls from "./hls-1.7.4.light.min.mjs";

const AHEAD_SECONDS = 30;
const TRIES = 3;

export class Deck {
  // onSegment(reel, index, buffer): a segment's bytes came. onFrame(frame): it is on the screen. onEnded(), onError().
  constructor({ ahead = AHEAD_SECONDS, onSegment = null, onFrame = null, onEnded = null, onError = null } = {}) {
    Object.assign(this, { ahead, onSegment, onFrame, onEnded, onError });
    this.reel = null;
    this.video = document.createElement("video");
    Object.assign(this.video, { muted: true, playsInline: true, preload: "auto", disablePictureInPicture: true });
    this.video.setAttribute("aria-hidden", "true"); // the controls beside it tell what it shows
    this.video.tabIndex = -1;
    this.video.addEventListener("ended", () => this.onEnded?.());
    this.watchesFrames = "requestVideoFrameCallback" in this.video;
    if (!this.watchesFrames) this.video.addEventListener("timeupdate", () => this.#shown(this.video.currentTime));
  }

  // Show `frame` of `reel`; done when it is on the screen, or false if another call came meanwhile. `delay` is that of
  // Photos. Throws if the video cannot be played.
  async open(reel, frame, delay) {
    this.close();
    Object.assign(this, { reel, delay });
    const turn = (this.turn = {});
    this.url = URL.createObjectURL(new Blob([reel.text], { type: "application/vnd.apple.mpegurl" }));
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
      if (Math.abs(this.video.currentTime - this.timeOf(frame)) * reel.fps < 0.5) break;
    }
    if (this.turn !== turn) return false;
    this.#watch(turn);
    return true;
  }

  #attach(startPosition) {
    this.hls = new Hls({ enableWorker: false, startPosition, maxBufferLength: this.ahead, backBufferLength: 60 });
    this.hls.on(Hls.Events.FRAG_LOADED, (_, { frag, payload }) => {
      if (frag.sn !== "initSegment") this.onSegment?.(this.reel, frag.sn, payload);
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
    const frame = this.reel.frameAt(seconds - this.delay);
    this.onFrame?.(Math.min(Math.max(frame, 0), this.reel.frameCount - 1));
  }

  timeOf(frame) {
    return this.reel.middleOf(frame) + this.delay;
  }

  // Frames that were asked for while the player was still seeking are left out, but for the last.
  async seek(frame) {
    this.wanted = frame;
    if (this.isSeeking) return;
    this.isSeeking = true;
    while (this.wanted !== null && this.reel) {
      const done = once(this.video, "seeked");
      this.video.currentTime = this.timeOf(this.wanted);
      this.wanted = null;
      await done;
    }
    this.isSeeking = false;
  }

  get isAtEnd() {
    return this.video.ended;
  }

  close() {
    this.turn = null;
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

function once(target, type) {
  return new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
}
