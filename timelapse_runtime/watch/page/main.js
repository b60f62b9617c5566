// The page: what is shown follows from its address, #/STREAM/REEL/FRAME, and from what is stored.

import { Bar } from "./bar.js";
import { clock, duration, moment, number, plural } from "./format.js";
import { Cameras, Days } from "./gallery.js";
import { Photos } from "./photos.js";
import { parsePlaylist } from "./playlist.js";
import { Stage } from "./stage.js";
import { readStreams, Stream } from "./source.js";

const POLL_MS = 5_000;
const HIDDEN_POLL_MS = 60_000;
const DETAILS_MS = 60_000;
const LEAST_STALE_MS = 5 * 60_000;
const STALE_FACTOR = 10;
const MOST_FINDINGS = 100;
const FINDINGS_MS = 300;
const SKIP_SECONDS = 5;

const by = (id) => document.getElementById(id);
const address = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;

class Page {
  constructor() {
    this.photos = new Photos(() => this.#learned());
    this.bar = new Bar(this.photos, (frame) => this.stage.seek(frame));
    this.stage = new Stage(by("stage"), this.photos, {
      onFrame: (frame) => this.#showFrame(frame),
      onState: () => this.#showState(),
      onEnd: () => this.#nextReel(),
      onError: (error, frame) => this.#playbackFailed(error, frame),
    });
    this.cameras = new Cameras((name) => address(name));
    this.days = new Days((stream, reel) => address(stream, reel));
    this.stream = this.newest = this.details = null;
    this.clockOffsetMs = 0;
    this.#listen();
    setInterval(() => this.#showState(), 500);
    this.#follow();
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
    this.stage.close();
    this.bar.close();
    this.days.clear();
    this.stream = this.newest = this.details = this.reel = this.failure = this.playbackFailure = this.lastPhoto = null;
    for (const id of ["player", "days", "photo", "findings"]) by(id).hidden = true;
    this.#say("");
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
      this.#say(found.length ? "" : "There is no video yet. It appears here after a camera's first photos.");
      await this.cameras.show(found);
    } catch (failure) {
      this.#say(explain(failure, "the list of cameras"), true);
    }
    if (this.turn === turn) this.timer = setTimeout(() => this.#showCameras(turn), document.hidden ? HIDDEN_POLL_MS : 2 * POLL_MS);
  }

  // ---- one stream

  async #watch(turn, reelName, frame) {
    await this.#poll(turn);
    if (this.turn !== turn || !this.newest) return;
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
      if (newest) await this.#take(newest);
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
    if (before?.name === newest.name && before.frameCount === newest.frameCount) return;
    this.newest = newest;
    const now = Date.now();
    if (!this.details || before?.name !== newest.name || now - this.detailsAt > DETAILS_MS) {
      this.detailsAt = now;
      this.details = await this.stream.details().catch(() => ({ reels: null, rejected: null, photos: null }));
    }
    if (this.reel?.name === newest.name) this.#grow(newest);
    else if (this.reel && this.reel.name === before?.name) this.#grow(await this.#closedReel(before.name)); // the last frames
    by("days").hidden = false;
    this.days.show(this.stream, newest, this.details.reels).then(() => this.days.mark(this.reel?.name)).catch(() => {});
  }

  #grow(reel) {
    this.reel = reel;
    this.stage.grow(reel);
    this.bar.show(reel);
    this.#readNewest();
  }

  async #closedReel(name, inRanges = false) {
    const manifest = await this.stream.manifest(name);
    const { text, url } = await this.stream.closed(name, inRanges);
    const reel = parsePlaylist(text, url, { isClosed: true, fps: manifest.fps });
    if (!reel) throw new Error(`${url} has no segment`);
    return reel;
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
    this.#learned();
    this.#showState();
  }

  #learned() {
    clearTimeout(this.findingsTimer);
    this.findingsTimer = setTimeout(() => this.reel && this.#showFindings(), FINDINGS_MS);
  }

  async #nextReel() {
    const name = this.#reelAfter();
    if (name) await this.#open(name, 0, true);
  }

  #reelAfter() {
    const { name } = this.reel;
    return this.days.after(name) ?? (name === this.newest.name ? null : this.newest.name);
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
    if (!time?.isExact) this.photos.load(frame).then(() => this.stage.frame === frame && this.#showFrame(frame)).catch(() => {});
    const { videoWidth, videoHeight } = this.stage.front.video;
    if (videoWidth) this.stage.element.style.setProperty("--ratio", String(videoWidth / videoHeight));
    if (!by("photo").hidden && this.photoFrame !== frame) this.#hidePhoto(false);
  }

  #showState() {
    if (!this.stream) return;
    const failure = this.failure ?? this.playbackFailure;
    if (failure) {
      const what = this.newest ? "the video" : `the video of ${this.stream.name}`;
      this.#say(failure.kind === "playback" ? `The browser cannot play this video: ${failure.message}` : explain(failure, what), failure.kind !== "missing");
    } else this.#say(this.#staleness() ?? "", true);
    if (!this.reel) return;
    const { state, wantsToPlay } = this.stage;
    const isNewest = this.reel.name === this.newest?.name;
    by("play").textContent = wantsToPlay ? "Pause" : "Play";
    by("latest").setAttribute("aria-pressed", String(isNewest && wantsToPlay && this.stage.frame >= this.reel.frameCount - 2 * this.reel.fps));
    by("state").textContent = { opening: "opening…", loading: "loading…", waiting: isNewest ? "waiting for new photos" : "the end" }[state] ?? "";
    by("state").dataset.state = state;
  }

  #staleness() {
    if (this.reel?.name !== this.newest?.name || !this.lastPhoto) return null;
    const age = Date.now() + this.clockOffsetMs - this.lastPhoto.uploadedEpochMs;
    if (age < Math.max(LEAST_STALE_MS, STALE_FACTOR * (this.photos.pace() ?? 0))) return null;
    return `No new photo for ${duration(age)}: the newest was uploaded ${moment(this.lastPhoto.uploadedEpochMs)}. The camera or its uploads may have stopped.`;
  }

  #say(text, isAlert = false) {
    const place = by("message");
    if (place.textContent !== text) place.textContent = text; // a screen reader reads each change
    place.className = isAlert && text ? "alert" : "";
  }

  #showFindings() {
    const gaps = this.photos.gaps().map(({ frame, fromEpochMs, toEpochMs }) => ({
      frame,
      kind: "gap",
      text: `${moment(fromEpochMs)}: no photo for ${duration(toEpochMs - fromEpochMs)}`,
    }));
    const first = this.photos.uploadedAt(0) ?? Infinity;
    const end = this.reel.name === this.newest?.name ? Infinity : (this.photos.uploadedAt(this.reel.frameCount - 1) ?? 0);
    const rejected = (this.details?.rejected ?? [])
      .filter((record) => record.time_epoch_ms >= first && record.time_epoch_ms <= end + 60_000)
      .map((record) => ({
        frame: this.photos.frameUploadedBy(record.time_epoch_ms),
        kind: "rejected",
        text: `${clock(record.time_epoch_ms)}: ${record.key} was rejected (${record.reason})`,
      }));
    const found = [...gaps, ...rejected].sort((one, other) => one.frame - other.frame);
    this.bar.mark(found);
    by("findings").hidden = found.length === 0;
    by("findings-title").textContent = `${plural(gaps.length, "gap")}, ${plural(rejected.length, "rejected photo")}`;
    by("finding-list").replaceChildren(
      ...found.slice(0, MOST_FINDINGS).map(({ frame, text }) => {
        const item = document.createElement("li");
        const button = item.appendChild(document.createElement("button"));
        Object.assign(button, { type: "button", textContent: text });
        button.addEventListener("click", () => this.stage.seek(frame));
        return item;
      }),
    );
  }

  async #showPhoto() {
    if (!this.reel) return;
    this.stage.pause();
    const { frame } = this.stage;
    const facts = by("photo-facts");
    const link = by("photo-link");
    let photo;
    try {
      photo = await this.photos.load(frame);
    } catch (failure) {
      this.#say(explain(failure, "the segment of this frame"), true);
      return;
    }
    if (!photo) return;
    const place = this.details?.photos ? `${this.details.photos}${photo.key}` : photo.key;
    const roles = { 1: "a repeat, in place of a photo that was rejected", 2: "later than its place in order" };
    const rows = [
      ["Key", place],
      [photo.isTaken ? "Taken" : "Taken (not known: uploaded)", moment(photo.capturedEpochMs)],
      ["Uploaded", moment(photo.uploadedEpochMs)],
      ["ETag", photo.etag.replaceAll('"', "")],
      ["Frame", `${number(frame + 1)}${roles[photo.role] ? `; ${roles[photo.role]}` : ""}`],
    ];
    facts.replaceChildren(
      ...rows.filter(([, value]) => value).flatMap(([name, value]) => {
        const [term, fact] = [document.createElement("dt"), document.createElement("dd")];
        [term.textContent, fact.textContent] = [name, value];
        return [term, fact];
      }),
    );
    facts.dataset.key = photo.key;
    link.replaceChildren();
    const url = this.stream.photoUrl(photo);
    if (url) {
      const anchor = link.appendChild(document.createElement("a"));
      Object.assign(anchor, { href: url, target: "_blank", rel: "noopener", textContent: "Open the photo" });
      const image = link.appendChild(document.createElement("img"));
      Object.assign(image, { src: url, alt: `The photo ${photo.key}` });
      image.addEventListener("error", () => image.replaceWith(" It cannot be shown here: it was deleted or written over, or its format is not one of the browser's."));
    }
    this.photoFrame = frame;
    by("photo").hidden = false;
    by("photo").focus({ preventScroll: true });
    by("photo").scrollIntoView({ block: "nearest" });
  }

  #hidePhoto(byHand) {
    by("photo").hidden = true;
    if (byHand) by("show-photo").focus();
  }

  // ---- what the viewer does

  #latest() {
    if (!this.newest) return;
    this.stage.wantsToPlay = true;
    if (this.reel?.name === this.newest.name) this.stage.seek(this.reel.frameCount - 1);
    else this.#open(this.newest.name, this.newest.frameCount - 1, true);
    this.#showState();
  }

  #toggle() {
    if (this.stage.wantsToPlay) this.stage.pause();
    else this.stage.play();
  }

  #step(frames) {
    this.stage.pause();
    this.stage.seek(this.stage.frame + frames);
  }

  #faster(steps) {
    const rate = by("rate");
    rate.selectedIndex = Math.min(Math.max(rate.selectedIndex + steps, 0), rate.options.length - 1);
    this.stage.setRate(Number(rate.value));
  }

  #fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else by("stage").requestFullscreen?.().catch(() => {});
  }

  #listen() {
    const clicks = {
      play: () => this.#toggle(),
      back: () => this.#step(-1),
      forward: () => this.#step(1),
      latest: () => this.#latest(),
      stage: () => this.#showPhoto(),
      "show-photo": () => this.#showPhoto(),
      "photo-close": () => this.#hidePhoto(true),
      full: () => this.#fullScreen(),
    };
    for (const [id, action] of Object.entries(clicks)) by(id).addEventListener("click", action);
    by("rate").addEventListener("change", () => this.stage.setRate(Number(by("rate").value)));
    addEventListener("hashchange", () => this.#follow());
    for (const type of ["online", "visibilitychange"]) {
      (type === "online" ? window : document).addEventListener(type, () => {
        if (!document.hidden && this.stream) this.#again(this.turn);
      });
    }
    const keys = {
      " ": () => this.#toggle(),
      k: () => this.#toggle(),
      ArrowLeft: () => this.stage.seek(this.stage.frame - SKIP_SECONDS * this.reel.fps),
      ArrowRight: () => this.stage.seek(this.stage.frame + SKIP_SECONDS * this.reel.fps),
      ",": () => this.#step(-1),
      ".": () => this.#step(1),
      Home: () => this.stage.seek(0),
      End: () => this.stage.seek(this.reel.frameCount - 1),
      "-": () => this.#faster(-1),
      "+": () => this.#faster(1),
      l: () => this.#latest(),
      p: () => this.#showPhoto(),
      f: () => this.#fullScreen(),
      Escape: () => this.#hidePhoto(true),
    };
    addEventListener("keydown", (event) => {
      const isControl = event.target.closest?.("button, select, input, a, summary");
      const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const isTaken = isControl && (key.length > 1 || key === " ") && key !== "Escape"; // the control's own keys
      if (!this.reel || !isPlain || isTaken || !(key in keys)) return;
      event.preventDefault();
      keys[key]();
    });
  }
}

function explain(failure, what) {
  switch (failure.kind) {
    case "missing":
      return "There is nothing to see yet. The video appears here after the first photos; this page looks again by itself.";
    case "denied":
      return `This page may not read ${what} (403). S3 says the same of a video that has no photo yet; else check the bucket policy or your credentials.`;
    case "offline":
      return `No connection to read ${what}. This page tries again by itself.`;
    default:
      return `Reading ${what} failed: ${failure.message}. This page tries again by itself.`;
  }
}

new Page();
