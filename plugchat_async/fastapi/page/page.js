// The server's events say what to show; the connection's own troubles are told beside it.

const { words, return_url: returnUrl, begins_with_button: beginsWithButton } = settings;
const page = document.querySelector("main");
const [heading, symbol, timer, ring, seconds, status, headline, advice, again, next, error, link] = [
  "h1", "#symbol", "#timer", "#ring", "#seconds", "#status", "#headline", "#advice", "#again",
  "#next", "#error", "#link",
].map((selector) => document.querySelector(selector));
const title = document.title;

document.getElementById("blocked").remove();

// The page may be reached with or without a slash at its end, behind any prefix. What its query
// tells the app, such as a tenant, the other routes have to know as well.
function address(name) {
  const url = new URL(location.href);
  // Set by its own property: as text, a path with two slashes in front would be a host.
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${name}`;
  url.hash = "";
  return url;
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// What is written again is read out again.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

if (isFramed && next) next.target = "_top";

// The current state.

function show(state, said, values = {}) {
  page.dataset.state = state;
  for (const part of page.querySelectorAll("[data-in]")) {
    part.hidden = !part.dataset.in.split(" ").includes(state);
  }
  write(headline, fill(said.headline, values));
  write(advice, fill(said.advice, values));
  write(again, said.button ?? "");
  again.disabled = false;
  const isOver = ["connected", "already_connected"].includes(state);
  write(heading, isOver ? headline.textContent : words.title);
  document.title =
    isOver || !again.hidden ? title.replace(words.title, () => headline.textContent) : title;
}

const views = {
  starting() {
    show("starting", words.starting);
  },
  code(code) {
    const drawing = new DOMParser().parseFromString(code.svg, "image/svg+xml").documentElement;
    symbol.replaceChildren(drawing);
    symbol.setAttribute("aria-label", fill(words.symbol, code));
    const now = Date.now();
    const age = code.valid_for - code.expires_in;
    const nextIn = code.next_in ?? code.expires_in;
    countdown = {
      ends: now + 1000 * nextIn,
      expires: now + 1000 * code.expires_in,
      lasts: age + nextIn,
    };
    show("code", words.code, code);
    tick();
    const { round, rounds, expires_in } = code;
    tellParent("code", { round, rounds, expires_in });
  },
  connected({ already }) {
    close();
    if (already) {
      show("already_connected", words.already_connected);
    } else {
      const { going_on, in_frame, ...said } = words.connected;
      // A frame leaves the next step to its parent.
      const ownAdvice = returnUrl ? going_on : said.advice;
      show("connected", { ...said, advice: isFramed ? in_frame : ownAdvice });
      if (returnUrl && !isFramed) setTimeout(() => location.assign(returnUrl), 2000);
    }
    tellParent("connected", { already });
  },
  expired() {
    close();
    show("expired", words.expired);
    tellParent("expired");
  },
  failed({ code, retry_at, retry_in }) {
    close();
    // By the phone's own clock, which may differ from the server's.
    retryAt = Date.now() + 1000 * (retry_in ?? 0);
    page.dataset.failure = code;
    write(error, fill(words.word_of_error, { code }));
    const said = words.failures[code] ?? words.failures.internal_error;
    show("failed", { ...said, button: words.failed.button });
    tick();
    tellParent("failed", { code, retry_at: retry_at ?? null });
  },
};

// What the page finds out by itself.

function ready() {
  close();
  show("ready", words.ready);
}

function giveUp(state, code = state) {
  close();
  tellLink("");
  write(error, fill(words.word_of_error, { code }));
  show(state, words[state]);
  tellParent("failed", { code, retry_at: null });
}

const refuse = () => giveUp("refused", "signed_out");
const decline = () => giveUp("declined", "origin_refused");

// A policy of the site may let the script run, and keep it from asking anything.
document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
  const blocking = ["connect-src", "require-trusted-types-for"];
  if (blocking.includes(effectiveDirective)) giveUp("blocked", "blocked_by_policy");
});

// The time until the next code, and until a failure may be tried again.

let countdown;
let retryAt = 0;

function tick() {
  if (page.dataset.state === "code") tickCode();
  if (page.dataset.state === "failed") tickButton();
}

function tickCode() {
  const now = Date.now();
  // The next code takes a moment to arrive, and may be due later than the server could tell.
  const isLate = now >= countdown.ends;
  const left = ((isLate ? countdown.expires : countdown.ends) - now) / 1000;
  const values = { seconds: Math.ceil(left) };
  write(seconds, isLate ? "" : fill(words.seconds, values));
  timer.setAttribute("aria-label", fill(words.seconds_left, values));
  timer.classList.toggle("waiting", isLate);
  timer.classList.toggle("ending", !isLate && left <= 5);
  ring.style.setProperty("--left", isLate ? 1 : left / countdown.lasts);
  if (now >= countdown.expires) expire();
}

function tickButton() {
  const left = Math.ceil((retryAt - Date.now()) / 1000);
  again.disabled = left > 0;
  const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  write(again, left > 0 ? fill(words.failed.wait, { time }) : words.failed.button);
}

// An expired code is not to be scanned: the next one is late, or the connection was lost.
function expire() {
  symbol.replaceChildren();
  show("stale", words.stale);
  reconnectIn(5);
}

setInterval(tick, 250);

// The connection. It is given up at an ending: only the button begins again, and not a server that
// was started anew. Browsers also have just six for all windows of a site.

const SECONDS_TO_RESPOND = 10;
const SECONDS_OF_SILENCE = 30;
// A server that ends a stream to see the login again is back before that.
const SECONDS_UNTOLD = 3;

let source;
let retry;
let telling;
let pause = 1;

function close() {
  clearTimeout(retry);
  clearTimeout(telling);
  source?.close();
  source = null;
}

function open() {
  close();
  source = new EventSource(address("events"));
  // A connection that breaks silently, or that a proxy buffers, raises no error: a new one does.
  retry = setTimeout(() => {
    tellLink("reconnecting");
    open();
  }, 1000 * SECONDS_TO_RESPOND);
  source.addEventListener("open", () => {
    clearTimeout(telling);
    tellLink("");
  });
  source.addEventListener("error", () => {
    // What got a response other than a stream gives up, and does not say which.
    if (source?.readyState === EventSource.CLOSED) return askWhy();
    clearTimeout(telling);
    telling = setTimeout(tellTrouble, 1000 * SECONDS_UNTOLD);
  });
  for (const [name, view] of Object.entries(views)) {
    source.addEventListener(name, (event) => {
      pause = 1;
      reconnectIn(SECONDS_OF_SILENCE);
      view(JSON.parse(event.data));
    });
  }
}

function reconnectIn(after) {
  clearTimeout(retry);
  retry = setTimeout(open, 1000 * after);
}

function tellTrouble() {
  tellLink(navigator.onLine ? "reconnecting" : "offline");
}

function tellLink(trouble) {
  page.dataset.link = trouble;
  write(link, words.link[trouble] ?? "");
}

async function request(name, method = "GET") {
  const stop = new AbortController();
  const patience = setTimeout(() => stop.abort(), 1000 * SECONDS_TO_RESPOND);
  try {
    const url = name ? address(name) : location.href;
    return await fetch(url, { method, redirect: "manual", signal: stop.signal });
  } catch {
    // No response at all is the same trouble as an unknown one.
    return Response.error();
  } finally {
    clearTimeout(patience);
    // Of a stream, the head is all that is wanted.
    if (method === "GET") stop.abort();
  }
}

async function askWhy() {
  const response = await request("events");
  const refusedLink = response.headers.get("Plugchat-Refusal");
  if (refusedLink) return giveUp(refusedLink);
  if (isRefusal(response)) return refuse();
  if (response.status === 204 && beginsWithButton) {
    tellLink("");
    return ready();
  }
  const after = Number(response.headers.get("Retry-After"));
  if (response.status === 503 && after > 0) {
    tellLink("");
    show("busy", words.busy);
    return reconnectIn(after);
  }
  // It may have been ready meanwhile, as when a window was closed in whose place this one may come.
  const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream");
  if (!isStream || pause > 1) tellTrouble();
  reconnectIn(pause);
  pause = Math.min(2 * pause, 30);
}

// An expired login is refused by the app, or redirected to its form.
function isRefusal(response) {
  return response.type === "opaqueredirect" || [401, 403].includes(response.status);
}

again.addEventListener("click", async () => {
  if (page.dataset.state === "refused") return location.reload();
  status.focus();
  // Of a link, an ending may have been forgotten, and only this begins anything then.
  const response = await request(beginsWithButton ? "start" : "restart", "POST");
  const refusedLink = response.headers.get("Plugchat-Refusal");
  if (refusedLink) return giveUp(refusedLink);
  if (isRefusal(response)) {
    // If the page itself may still be seen, it was not the login that refused.
    return response.status === 403 && (await request("")).ok ? decline() : refuse();
  }
  if (!response.ok) return tellLink("not_pressed");
  // A stream begins with the current state, even if another window was faster.
  views.starting();
  open();
});

addEventListener("offline", () => source && tellLink("offline"));
addEventListener("online", () => source && page.dataset.link && open());
addEventListener("pageshow", (event) => event.persisted && source && open());

if (beginsWithButton) ready();
else {
  views.starting();
  open();
}
tellParent("ready");
