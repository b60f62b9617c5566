// Plays what serve.py serves in real browsers: node play.mjs BASE BROWSER PLAYER SRC [seconds] [seek]
// Needs npm's puppeteer-core, hls.js, shaka-player and video.js, and the system's chromium or firefox.
// Prints one line of JSON: which numbers were seen, errors, stalls over 2 s; with `seek`, what ten seeks show.
import puppeteer from "puppeteer-core";

const [base, browser, player, src, seconds = "20", ...more] = process.argv.slice(2);
const paths = { chrome: "/usr/bin/chromium", firefox: "/usr/bin/firefox-esr" };
const args = browser === "chrome"
  ? ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--disable-background-networking",
     "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic"]
  : [];
const it = await puppeteer.launch({
  browser, executablePath: paths[browser], headless: true, args,
  extraPrefsFirefox: { "media.autoplay.default": 0, "media.autoplay.blocking_policy": 0 },
});
const page = await it.newPage();
const console_errors = [];
page.on("console", (message) => { if (message.type() === "error") console_errors.push(message.text()); });
const start = more.includes("start") ? "&start=0" : "";
await page.goto(`${base}/page.html?player=${player}&src=${encodeURIComponent(src)}${start}`);
const until = Date.now() + 1000 * Number(seconds);
let result;
do {
  await new Promise((done) => setTimeout(done, 250));
  result = await page.evaluate(() => look());
} while (Date.now() < until && !result.ended && !more.includes("quick"));
const seeks = [];
if (more.includes("seek")) {
  for (const part of [0.95, 0.05, 0.5, 0.51, 0.9, 0.1, 0.75, 0.25, 0.99, 0]) {
    const time = Math.floor(result.duration * part * 30) / 30 + 1 / 60;
    seeks.push(await page.evaluate((t) => seekTo(t), time));
  }
}
const numbers = [...new Set(result.numbers)];
const jumps = numbers.flatMap((n, place) => place && n !== numbers[place - 1] + 1 ? [[numbers[place - 1], n]] : []);
console.log(JSON.stringify({
  browser, player, src, seen: numbers.length, first: numbers[0], first_time: result.firstTime, last: numbers.at(-1),
  backwards: jumps.filter(([a, b]) => b < a), largest_gap: Math.max(0, ...jumps.map(([a, b]) => b - a)),
  ended: result.ended, time: result.time, duration: result.duration, seekable: result.seekable, buffered: result.buffered,
  errors: [...new Set(result.errors)], warnings: [...new Set(result.warnings ?? [])], stalls: result.stalls, seeks, console_errors: [...new Set(console_errors)].slice(0, 3),
}));
await it.close();
