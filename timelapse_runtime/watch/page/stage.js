// Plays a reel that grows. Each version of its playlist is a video with an end, so a longer version is opened in a second
// video element behind the first, at the frame where the first one ends, and takes its place when that frame is there.

import { Deck } from "./deck.js";

const PREPARE_SECONDS = 3;

export class Stage {
  // onFrame(frame), onState(): it began or ceased to play, wait or load. onEnd(): the end of a closed reel was played.
  // onError(error, frame): this frame could not be shown.
  constructor(element, photos, { onFrame, onState, onEnd, onError }) {
    Object.assign(this, { element, photos, onFrame, onState, onEnd, onError });
    this.reel = null; // the newest version
    this.frame = 0; // the one on the screen
    this.rate = 1;
    this.wantsToPlay = false;
    this.isOpening = false;
    this.prepared = null;
    [this.front, this.back] = [this.#deck(), this.#deck()];
    element.replaceChildren(this.back.video, this.front.video);
  }

  #deck() {
    const deck = new Deck(this.photos, {
      onFrame: (frame) => deck === this.front && this.#shown(frame),
      onEnded: () => deck === this.front && this.#ended(),
      onError: (error) => deck === this.front && this.onError(error, this.frame),
    });
    return deck;
  }

  // Another version of the reel that is shown.
  grow(reel) {
    this.reel = reel;
    this.photos.show(reel);
    if (this.front.isAtEnd) this.#ended();
    else this.onState();
  }

  // Show a frame of this reel.
  async show(reel, frame) {
    this.reel = reel;
    this.photos.show(reel);
    const turn = (this.turn = {});
    this.prepared = null;
    this.isOpening = true;
    this.onState();
    try {
      if (await this.#openBehind(reel, frame, () => this.turn === turn)) this.#swap(frame);
    } catch (error) {
      if (this.turn === turn) this.onError(error, frame);
    } finally {
      if (this.turn === turn) this.isOpening = false;
      this.onState();
    }
  }

  // True if the frame is there, and still wanted.
  async #openBehind(reel, frame, isWanted) {
    await this.photos.loadInit();
    const { timeline } = this.photos;
    if (timeline.delay === null || !timeline.isKnown(reel, frame)) await this.photos.load(frame);
    return isWanted() && (await this.back.open(reel, frame)) && isWanted();
  }

  #swap(frame) {
    [this.front, this.back] = [this.back, this.front];
    this.front.video.playbackRate = this.rate;
    this.element.append(this.front.video); // over the other
    this.back.close();
    if (this.wantsToPlay) this.#start();
    this.#shown(frame);
  }

  #shown(frame) {
    this.frame = frame;
    this.onFrame(frame);
    const left = this.photos.timeline.secondsLeft(this.front.reel, frame) / this.rate;
    if (left < PREPARE_SECONDS && this.#hasMore() && !this.prepared && !this.isOpening) this.#prepare();
  }

  #hasMore() {
    const shown = this.front.reel;
    return shown !== null && shown.map.url === this.reel.map.url && this.reel.frameCount > shown.frameCount;
  }

  #prepare() {
    const prepared = (this.prepared = { frame: this.front.reel.frameCount });
    prepared.isReady = this.#openBehind(this.reel, prepared.frame, () => this.prepared === prepared).catch(() => false);
  }

  async #ended() {
    if (this.isOpening || !this.wantsToPlay) {
      this.onState();
      return;
    }
    const prepared = this.prepared;
    if (prepared) {
      const isReady = await prepared.isReady;
      if (this.prepared !== prepared) return;
      this.prepared = null;
      if (isReady) {
        this.#swap(prepared.frame);
        this.onState();
        return;
      }
    }
    if (this.#hasMore()) await this.show(this.reel, this.front.reel.frameCount);
    else {
      this.onState();
      if (this.reel.isClosed) this.onEnd();
    }
  }

  seek(frame) {
    const wanted = Math.min(Math.max(frame, 0), this.reel.frameCount - 1);
    const isThere = this.front.reel?.map.url === this.reel.map.url && wanted < this.front.reel.frameCount && !this.isOpening;
    if (!isThere) {
      this.show(this.reel, wanted);
      return;
    }
    this.prepared = null;
    this.front.seek(wanted);
    if (this.wantsToPlay && this.front.video.paused) this.#start();
  }

  async skip(seconds) {
    const { reel, photos } = this;
    const wanted = photos.timeline.secondsOf(reel, this.frame) + seconds;
    const frame = () => photos.timeline.frameAt(reel, wanted);
    if (!photos.timeline.isKnown(reel, frame())) await photos.load(frame()).catch(() => {}); // till then it was a guess
    if (this.reel === reel) this.seek(frame());
  }

  play() {
    this.wantsToPlay = true;
    if (!this.isOpening && this.front.isAtEnd) this.#ended();
    else if (!this.isOpening && this.front.reel) this.#start();
    this.onState();
  }

  // A browser may refuse to play before the viewer has clicked. Other refusals mean that the deck shows something else
  // by now.
  #start() {
    this.front.video.play().catch((error) => error.name === "NotAllowedError" && this.pause());
  }

  pause() {
    this.wantsToPlay = false;
    this.front.video.pause();
    this.onState();
  }

  setRate(rate) {
    this.rate = this.front.video.playbackRate = rate;
  }

  // "opening", "paused", "playing", "loading" (the network is slow) or "waiting" (for photos).
  get state() {
    if (this.isOpening && !this.front.reel) return "opening";
    if (!this.wantsToPlay) return "paused";
    if (this.front.isAtEnd) return "waiting";
    return this.front.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA ? "loading" : "playing";
  }

  close() {
    this.turn = this.prepared = null;
    this.isOpening = false;
    this.front.close();
    this.back.close();
  }
}
