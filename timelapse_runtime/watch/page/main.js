// The page: what is shown follows from its address, #/STREAM/REEL/FRAME, and from what is stored.

import { Bar } from "./bar.js";
import { Controls } from "./controls.js";
import { Findings } from "./findings.js";
import { moment, number } from "./format.js";
import { DayPictures } from "./day-pictures.js";
import { Cameras, Days } from "./gallery.js";
import { explain, say, silence } from "./message.js";
import { PhotoPanel } from "./panel.js";
import { Photos } from "./photos.js";
import { parsePlaylist } from "./playlist.js";
import { ADOPTED } from "./provenance.js";
import { readStreams, Stream } from "./source.js";
import { Stage } from "./stage.js";

const POLL_MS = 5_000;
const HIDDEN_POLL_MS = 60_000;
const DETAILS_MS = 60_000;
const STATE_MS = 500;

const by = (id) => document.getElementById(id);
const address = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;

class Page {
  constructor() {
    this.photos = new Photos(() => this.reel && this.findings.show(this.reel));
    this.bar = new Bar(this.photos, (frame) => this.stage.seek(frame));
    this.findings = new Findings(this.photos, this.bar, (frame) => this.stage.seek(frame));
    this.dayPictures = new DayPictures((frame) => this.stage.seek(frame));
    this.panel = new PhotoPanel(() => by("show-photo").focus());
    this.stage = new Stage(by("stage"), this.photos, {
      onFrame: (frame) => this.#showFrame(frame),
      onState: () => this.#showState(),
      onEnd: () => this.#nextReel(),
      onError: (error, frame) => this.#playbackFailed(error, frame),
    });
    this.controls = new Controls(this.stage, {
      isReady: () => Boolean(this.reel),
      latest: () => this.#latest(),
      showPhoto: () => this.#showPhoto(),
      hidePhoto: () => this.panel.hide(),
    });
    this.cameras = new Cameras((name) => address(name));
    this.days = new Days((stream, reel) => address(stream, reel));
    this.clockOffsetMs = 0;
    this.#forget();
    addEventListener("hashchange", () => this.#follow());
    for (const [target, type] of [[window, "online"], [document, "visibilitychange"]]) {
      target.addEventListener(type, () => !document.hidden && this.stream && this.#again(this.turn));
    }
    setInterval(() => this.#showState(), STATE_MS);
    this.#follow();
  }

  #forget() {
    this.stream = this.newest = this.newestText = this.details = this.reel = this.lastPhoto = null;
    this.failure = this.playbackFailure = null;
  }

  // ---- what to show

  async #follow() {
    this.turn = {};
    clearTimeout(this.timer);
    const [name, reel, frame] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
    if (!name) {
      await this.#showCameras(this.turn);
      return;
    }
    if (this.stream?.name !== name) {
      this.#leaveStream();
      const { isServed } = await readStreams().catch(() => ({ isServed: false }));
      this.stream = new Stream(name, isServed);
    }
    by("cameras").hidden = true;
    by("place").textContent = name;
    document.title = `${name} – Timelapse`;
    await this.#watch(this.turn, reel || null, frame === undefined ? null : Number(frame));
  }

  #leaveStream() {
    for (const part of [this.stage, this.bar]) part.close();
    for (const part of [this.panel, this.findings]) part.hide();
    for (const part of [this.days, this.dayPictures]) part.clear();
    this.#forget();
    for (const id of ["player", "days"]) by(id).hidden = true;
    say("");
  }

  async #showCameras(turn) {
    this.#leaveStream();
    by("place").textContent = "";
    document.title = "Timelapse";
    try {
      const found = (await readStreams()).streams;
      if (this.turn !== turn) return;
      if (found.length === 1) {
        location.replace(address(found[0].name));
        return;
      }
      by("cameras").hidden = found.length === 0;
      say(found.length ? "" : "There is no video yet. It appears here after a camera's first photos.");
      await this.cameras.show(found);
    } catch (failure) {
      say(explain(failure, "the list of cameras"), true);
    }
    if (this.turn === turn) this.timer = setTimeout(() => this.#showCameras(turn), document.hidden ? HIDDEN_POLL_MS : 2 * POLL_MS);
  }

  // ---- one stream

  async #watch(turn, reelName, frame) {
    await this.#poll(turn);
    if (this.turn !== turn || !this.newest) return;
    if (frame !== null) this.stage.pause(); // an address leads to a frame, and not on from it
    if (this.reel && (!reelName || reelName === this.reel.name)) {
      if (frame !== null) this.stage.seek(frame);
      return;
    }
    await this.#open(reelName ?? this.newest.name, frame ?? 0, frame === null);
  }

  // Look for what is new, now and after some time.
  async #poll(turn) {
    clearTimeout(this.timer);
    try {
      const found = await this.stream.newest();
      if (this.turn !== turn) return;
      this.clockOffsetMs = found.nowEpochMs - Date.now();
      const newest = parsePlaylist(found.text, found.url);
      if (newest && found.text !== this.newestText) await this.#take(Object.assign(newest, { pictures: found.pictures }));
      else if (newest) this.#takePictures(newest, found.pictures);
      this.newestText = found.text;
      this.failure = newest ? null : { kind: "missing" };
    } catch (failure) {
      this.failure = failure;
    }
    if (this.turn !== turn) return;
    this.#showState();
    this.timer = setTimeout(() => this.#again(turn), document.hidden ? HIDDEN_POLL_MS : POLL_MS);
  }

  async #again(turn) {
    const hadNothing = this.newest === null;
    await this.#poll(turn);
    if (hadNothing && this.newest && this.turn === turn) await this.#open(this.newest.name, 0, true);
  }

  async #take(newest) {
    const before = this.newest;
    this.newest = newest;
    const now = Date.now();
    if (!this.details || before?.name !== newest.name || now - this.detailsAt > DETAILS_MS) {
      this.detailsAt = now;
      this.details = await this.stream.details().catch(() => ({ reels: null, photos: null }));
    }
    if (this.reel?.name === newest.name) this.#grow(newest);
    else if (this.reel && !this.reel.isClosed) this.#grow(await this.#closedReel(this.reel.name)); // the last frames
    by("days").hidden = false;
    this.days.show(this.stream, newest, this.details.reels).then(() => this.days.mark(this.reel?.name)).catch(() => {});
  }

  // A picture may be stored after the frames that it shows.
  #takePictures({ name }, pictures) {
    this.newest.pictures = pictures;
    if (this.reel?.name === name) this.dayPictures.show(this.reel, pictures);
  }

  #grow(reel) {
    const isRemade = this.reel.map.url !== reel.map.url; // its frames are others, and the objects before may be gone
    this.reel = reel;
    if (isRemade) this.stage.show(reel, Math.min(this.stage.frame, reel.frameCount - 1));
    else this.stage.grow(reel);
    this.bar.show(reel);
    this.dayPictures.show(reel, reel.pictures);
    this.#readNewest();
  }

  async #closedReel(name, inRanges = false) {
    const manifest = await this.stream.manifest(name);
    const { text, url } = await this.stream.closed(name, inRanges);
    const reel = parsePlaylist(text, url, { isClosed: true, manifest });
    if (!reel) throw new Error(`${url} has no segment`);
    return Object.assign(reel, { pictures: manifest.pictures });
  }

  async #open(name, frame, autoplay, inRanges = false) {
    const turn = this.turn;
    this.playbackFailure = null;
    try {
      const reel = name === this.newest.name ? this.newest : await this.#closedReel(name, inRanges);
      if (this.turn !== turn) return;
      this.reel = reel;
      this.isInRanges = inRanges;
      by("player").hidden = false;
      this.bar.show(reel);
      this.dayPictures.show(reel, reel.pictures);
      this.days.mark(name);
      if (autoplay) this.stage.wantsToPlay = true;
      await this.stage.show(reel, Math.min(frame, reel.frameCount - 1));
      this.#readNewest();
    } catch (failure) {
      this.playbackFailure = failure;
      this.#showState();
    }
  }

  // The photo of the last frame tells whether the camera still sends.
  async #readNewest() {
    const reel = this.reel;
    try {
      const photo = await this.photos.load(reel.frameCount - 1);
      if (this.reel === reel) this.lastPhoto = photo;
    } catch {
      return; // playback tells
    }
    if (this.reel) this.findings.show(this.reel);
    this.#showState();
  }

  async #nextReel() {
    const { name } = this.reel;
    const next = this.days.after(name) ?? (name === this.newest.name ? null : this.newest.name);
    if (next) await this.#open(next, 0, true);
  }

  // A segment's earlier version may be gone, and a closed reel's segments may have been deleted: its video.mp4 stays.
  async #playbackFailed(error, frame) {
    console.warn(`watch: ${error.message}`);
    const { name } = this.reel;
    if (name !== this.newest?.name && !this.isInRanges) await this.#open(name, frame, false, true);
    else if (!this.failedAt || Date.now() - this.failedAt > 2 * POLL_MS) {
      this.failedAt = Date.now();
      await this.#poll(this.turn);
      await this.stage.show(this.reel, frame);
    } else this.playbackFailure = error.kind ? error : { kind: "playback", message: error.message };
    this.#showState();
  }

  // ---- what is on the screen

  #showFrame(frame) {
    if (!this.reel) return;
    const time = this.photos.timeAt(frame);
    by("capture").textContent = time ? `${time.isExact ? "" : "about "}${moment(time.epochMs)}` : "";
    by("capture").dateTime = time ? new Date(time.epochMs).toISOString() : "";
    by("frame").textContent = `frame ${number(frame + 1)} of ${number(this.reel.frameCount)}`;
    by("frame").dataset.frame = String(frame);
    this.bar.set(frame);
    this.dayPictures.set(frame);
    if (!time?.isExact) this.photos.load(frame).then(() => this.stage.frame === frame && this.#showFrame(frame)).catch(() => {});
    const { videoWidth, videoHeight } = this.stage.front.video;
    if (videoWidth) this.stage.element.style.setProperty("--ratio", String(videoWidth / videoHeight));
    this.panel.leave(frame);
  }

  #showState() {
    if (!this.stream) return;
    const failure = this.failure ?? this.playbackFailure;
    if (failure) say(explain(failure, this.newest ? "the video" : `the video of ${this.stream.name}`), failure.kind !== "missing");
    else say(this.#silence() ?? "", true);
    if (!this.reel) return;
    const { state, wantsToPlay } = this.stage;
    const isNewest = this.reel.name === this.newest?.name;
    by("play").textContent = wantsToPlay ? "Pause" : "Play";
    by("latest").setAttribute("aria-pressed", String(isNewest && wantsToPlay && this.photos.timeline.secondsLeft(this.reel, this.stage.frame) <= 2));
    by("state").textContent = { opening: "opening…", loading: "loading…", waiting: isNewest ? "waiting for new photos" : "the end" }[state] ?? "";
    by("state").dataset.state = state;
  }

  #silence() {
    if (this.reel?.name !== this.newest?.name || !this.lastPhoto || this.lastPhoto.role === ADOPTED) return null;
    return silence(this.lastPhoto.uploadedEpochMs, Date.now() + this.clockOffsetMs, this.photos.pace());
  }

  async #showPhoto() {
    if (!this.reel) return;
    this.stage.pause();
    const { frame } = this.stage;
    try {
      const photo = await this.photos.load(frame);
      if (photo) this.panel.show(frame, photo, this.details?.photos ?? "", this.stream.photoUrl(photo));
    } catch (failure) {
      say(explain(failure, "the segment of this frame"), true);
    }
  }

  #latest() {
    if (!this.newest) return;
    this.stage.wantsToPlay = true;
    if (this.reel?.name === this.newest.name) this.stage.seek(this.reel.frameCount - 1);
    else this.#open(this.newest.name, this.newest.frameCount - 1, true);
    this.#showState();
  }
}

new Page();
