/* What runs in the browser: the chosen view, the colour scheme, and the watch over the connection. */
(function () {
  "use strict";

  const SILENT_MS = 8000; // the server sends a beat every second or, with the API away, every three
  const CHECK_MS = 2000;
  const POLL_MS = 5000; // without shared workers the page asks instead of being told
  const page = Math.random().toString(36).slice(2);
  const root = document.documentElement;
  const set = (id, props) => window.dash_clientside.set_props(id, props);

  let view = null;
  let store = "view"; // where the open page keeps its view
  let heard = Date.now();
  let asked = 0;

  const scheme = () => (root.getAttribute("data-mantine-color-scheme") === "dark" ? "dark" : "light");

  function goToLogIn() {
    location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
  }

  function askAgain() {
    view = { ...view, attempt: view.attempt + 1 };
    set(store, { data: view });
  }

  /* Remember what is shown, tell the address and the title of it, and mark the page's link. */
  function show(into, shown, address, title) {
    view = { ...shown, page, attempt: 0 };
    store = into;
    heard = Date.now();
    if (location.pathname + location.search !== address) history.replaceState(history.state, "", address);
    document.title = title + " · CryptoBot";
    for (const link of document.querySelectorAll(".pages a")) {
      if (link.dataset.view === into) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    return view;
  }

  const labelOf = (symbol, pairs) => pairs.find((pair) => pair.value === symbol).label;
  const pressed = (symbol, ids) => ids.map((id) => String(id.symbol === symbol));

  function showLost(lost) {
    const notice = document.getElementById("connection");
    if (!notice) return;
    notice.hidden = !lost;
    notice.textContent = lost ? "The dashboard's server does not answer; connecting again…" : "";
  }

  async function check() {
    if (!view || document.visibilityState !== "visible" || !document.querySelector(".view-open")) return;
    const silent = Date.now() - heard;
    const polling = typeof SharedWorker === "undefined";
    if (polling ? silent < POLL_MS : silent < SILENT_MS) {
      showLost(false);
      return;
    }
    if (silent >= 2 * SILENT_MS) showLost(true);
    if (Date.now() - asked < POLL_MS) return;
    asked = Date.now();
    try {
      const answer = await fetch("/session", { headers: { Accept: "application/json" } });
      if (answer.status === 401) goToLogIn();
      else if (answer.ok) askAgain();
    } catch (away) {
      showLost(true);
    }
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.cryptobot = {
    select(clicks) {
      const pressed = window.dash_clientside.callback_context.triggered_id;
      if (!pressed || !clicks.some(Boolean)) return window.dash_clientside.no_update;
      return pressed.symbol;
    },

    view(symbol, interval, pairs, ids) {
      const address = "/market/" + symbol + "?interval=" + interval;
      return [show("view", { symbol, interval }, address, labelOf(symbol, pairs)), pressed(symbol, ids)];
    },

    models(symbol, pairs, ids) {
      const title = "Models of " + labelOf(symbol, pairs);
      return [show("models-view", { symbol }, "/models/" + symbol, title), pressed(symbol, ids)];
    },

    chartOptions(chosen, options) {
      return options[chosen || scheme()];
    },

    beat(data) {
      if (!data) return;
      if (data.signedOut) goToLogIn();
      heard = Date.now();
      showLost(false);
    },
  };

  function followScheme() {
    set("color-scheme", { data: scheme() });
  }

  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(followScheme).observe(root, { attributeFilter: ["data-mantine-color-scheme"] });
    setInterval(check, CHECK_MS);
  });
})();
