// Looks at every page of a running daemon with a real browser, in both languages, light and dark, wide and phone.
//
//   node look.mjs BASE TOKEN_FILE [--shots DIR] [--quick] PATH...
//
// Fails (exit 1) with a list when a page has an accessibility finding of axe-core that is serious or critical, scrolls sideways,
// asks another host for anything, breaks its own content policy, or runs into an error of its script. `--shots` keeps a picture of
// each look. `--quick` leaves out the tablet and the smallest phone.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import puppeteer from "puppeteer-core";

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const args = process.argv.slice(2);
const take = (name, withValue) => {
  const at = args.indexOf(name);
  if (at < 0) return undefined;
  return withValue ? args.splice(at, 2)[1] : args.splice(at, 1)[0];
};
const shots = take("--shots", true);
const quick = take("--quick", false);
const [base, tokenFile, ...paths] = args;
const token = readFileSync(tokenFile, "utf8").trim();
if (shots) mkdirSync(shots, { recursive: true });

const widths = quick ? [1440, 390] : [1440, 1101, 1024, 900, 800, 390, 360];
const browser = await puppeteer.launch({
  executablePath: process.env.FOREMEND_TEST_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
});
const findings = [];
let looks = 0;

const page = await browser.newPage();
let where = "login";
const find = (what) => findings.push(`${where}: ${what}`);
page.on("pageerror", (error) => find(`script error: ${error.message}`));
page.on("console", (message) => {
  if (message.type() === "error") find(`console: ${message.text()}`);
});
page.on("request", (request) => {
  if (!request.url().startsWith(base) && !request.url().startsWith("data:")) find(`asks another host: ${request.url()}`);
});

async function check() {
  looks += 1;
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 1) find(`scrolls sideways by ${wide} px`);
  // Panels clip what is wider than they are, so that a table that does not fit loses its last column in silence.
  const cut = await page.evaluate(() => {
    for (const panel of document.querySelectorAll(".panel")) {
      const edge = panel.getBoundingClientRect().right + 1;
      for (const part of panel.querySelectorAll("*")) {
        const { width, right } = part.getBoundingClientRect();
        if (width > 0 && right > edge && !part.closest("svg, .vh, .tabs")) return `${part.tagName} ${part.className}: ${(part.innerText ?? "").slice(0, 30)}`;
      }
    }
    return undefined;
  });
  if (cut) find(`cut off at the right: ${cut}`);
  // The policy of the pages forbids foreign scripts, so axe runs in a world of its own.
  const client = await page.createCDPSession();
  const { frameTree } = await client.send("Page.getFrameTree");
  const { executionContextId } = await client.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
  const run = async (expression) => {
    const { result, exceptionDetails } = await client.send("Runtime.evaluate", { expression, contextId: executionContextId, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  await run(`${axe}; null`);
  const violations = await run(
    `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, at: nodes.slice(0, 3).map((node) => node.target.join(" ") + ": " + (node.any[0]?.message ?? node.all[0]?.message ?? node.none[0]?.message ?? "")) })))`,
  );
  await client.detach();
  for (const { id, impact, help, at } of violations) {
    if (impact === "serious" || impact === "critical") find(`${impact} ${id}: ${help}; ${at.join(" | ")}`);
  }
}

const name = (path) => (path === "/" ? "queue" : path.replace(/^\/|\?.*$/g, "").replace(/[^A-Za-z0-9]+/g, "-"));

for (const lang of ["en", "zh"]) {
  for (const theme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }, { name: "prefers-reduced-motion", value: "reduce" }]);
    for (const width of widths) {
      await page.setViewport({ width, height: width > 800 ? 900 : 800, deviceScaleFactor: 1 });
      where = `login ${lang} ${theme} ${width}`;
      await page.deleteCookie(...(await page.cookies(base)));
      await page.goto(`${base}/login?lang=${lang}`, { waitUntil: "load" });
      await check();
      if (shots) await page.screenshot({ path: `${shots}/login-${lang}-${theme}-${width}.png` });
      await page.type("#tok", token);
      await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.click("button.go")]);
      for (const path of paths) {
        where = `${path} ${lang} ${theme} ${width}`;
        const response = await page.goto(base + path, { waitUntil: "load" });
        if (!response.ok()) find(`answered ${response.status()}`);
        await check();
        if (shots) await page.screenshot({ path: `${shots}/${name(path)}-${lang}-${theme}-${width}.png`, fullPage: true });
      }
    }
  }
}
await browser.close();
for (const finding of findings) console.error(finding);
console.log(`${looks} looks, ${findings.length} findings`);
process.exit(findings.length === 0 ? 0 : 1);
