// The server's events say what to show; the connection's own troubles are told beside it.

const words = JSON.parse(document.getElementById("words").textContent);
const page = document.querySelector("main");
const [symbol, timer, ring, seconds, status, headline, advice, again, error, link] = [
  "symbol", "timer", "ring", "seconds", "status", "headline", "advice", "again", "error", "link",
].map((id) => document.getElementById(id));

// The page may be reached with or without a slash at its end, behind any prefix. What its query
// tells the app, such as a tenant, the other routes have to know as well.
const address = (name) => `${location.pathname.replace(/\/+$/, "")}/${name}${location.search}`;

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// What is written again is read out again.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// What is on show.

function show(state, said, values = {}) {
  page.dataset.state = state;
  for (const part of page.querySelectorAll("[data-in]")) {
    // Drawings have the attribute, and not the property of the same name.
    part.toggleAttribute("hidden", !part.dataset.in.split(" ").includes(state));
  }
  write(headline, fill(said.headline, values));
  write(advice, fill(said.advice, values));
  write(again, said.button ?? "");
  document.title = again.hidden ? words.title : `${headline.textContent} – ${words.title}`;
}

const views = {
  starting() {
    show("starting", words.starting);
  },
  code(code) {
    const drawing = new DOMParser().parseFromString(code.svg, "image/svg+xml").documentElement;
    symbol.replaceChildren(drawing);
    symbol.setAttribute("aria-label", fill(words.symbol, code));
    countdown = { ends: Date.now() + 1000 * code.expires_in, livesFor: code.lives_for };
    show("code", words.code, code);
    tick();
  },
  connected({ already }) {
    close();
    show("connected", already ? words.already_connected : words.connected);
  },
  expired() {
    close();
    show("expired", words.expired);
  },
  failed({ code }) {
    close();
    write(error, fill(words.word_of_error, { code }));
    const said = words.failures[code] ?? words.failures.internal_error;
    show("failed", { ...said, ...words.failed });
  },
};

// How long the code lives.

let countdown;

function tick() {
  if (page.dataset.state !== "code") return;
  const left = Math.max(0, (countdown.ends - Date.now()) / 1000);
  const values = { seconds: Math.ceil(left) };
  write(seconds, fill(words.seconds, values));
  timer.setAttribute("aria-label", fill(words.seconds_left, values));
  timer.classList.toggle("ending", left <= 5);
  ring.style.setProperty("--left", left / countdown.livesFor);
  if (left === 0) outlive();
}

// A code that outlived itself is not to be scanned: the next one is late, or the connection died.
function outlive() {
  symbol.replaceChildren();
  show("stale", words.stale);
  reconnectIn(5);
}

setInterval(tick, 250);

// The connection. It is given up at an ending: only the button begins again, and not a server that
// was started anew. Browsers also have just six for all windows of a site.

const SECONDS_TO_ANSWER = 10;
const SECONDS_OF_SILENCE = 30;

let source;
let retry;
let pause = 1;

function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

function open() {
  close();
  source = new EventSource(address("events"));
  // What dies without a word, or is held back by a proxy, makes no error: a new one finds out.
  retry = setTimeout(() => {
    tellLink("reconnecting");
    open();
  }, 1000 * SECONDS_TO_ANSWER);
  source.addEventListener("open", () => tellLink(""));
  source.addEventListener("error", () => {
    // What got an answer other than a stream gives up, and does not say which.
    if (source?.readyState === EventSource.CLOSED) askWhy();
    else tellTrouble();
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

async function askWhy() {
  const stop = new AbortController();
  const patience = setTimeout(() => stop.abort(), 1000 * SECONDS_TO_ANSWER);
  try {
    const answer = await fetch(address("events"), { redirect: "manual", signal: stop.signal });
    if (isRefusal(answer)) return refuse();
    const seconds = Number(answer.headers.get("Retry-After"));
    if (answer.status === 503 && seconds > 0) {
      tellLink("");
      show("busy", words.busy);
      return reconnectIn(seconds);
    }
  } catch {
    // No answer at all is the same trouble as an unknown one.
  } finally {
    clearTimeout(patience);
    stop.abort();
  }
  tellTrouble();
  reconnectIn(pause);
  pause = Math.min(2 * pause, 30);
}

// A login that ran out answers by itself, or leads to its form.
function isRefusal(answer) {
  return answer.type === "opaqueredirect" || [401, 403].includes(answer.status);
}

function refuse() {
  close();
  tellLink("");
  show("refused", words.refused);
}

again.addEventListener("click", async () => {
  if (page.dataset.state === "refused") return location.reload();
  status.focus();
  const signal = AbortSignal.timeout(1000 * SECONDS_TO_ANSWER);
  try {
    const options = { method: "POST", redirect: "manual", signal };
    const answer = await fetch(address("restart"), options);
    if (isRefusal(answer)) return refuse();
    if (!answer.ok) return tellLink("not_pressed");
  } catch {
    return tellLink("not_pressed");
  }
  // A stream says at its start what is on show: also where another window was faster.
  views.starting();
  open();
});

addEventListener("offline", () => source && tellLink("offline"));
addEventListener("online", () => source && page.dataset.link && open());
addEventListener("pageshow", (event) => event.persisted && source && open());

open();
