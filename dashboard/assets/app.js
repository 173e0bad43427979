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
  let heard = Date.now();
  let asked = 0;

  const scheme = () => (root.getAttribute("data-mantine-color-scheme") === "dark" ? "dark" : "light");

  function goToLogIn() {
    location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
  }

  function askAgain() {
    view = { ...view, attempt: view.attempt + 1 };
    set("view", { data: view });
  }

  function showLost(lost) {
    const notice = document.getElementById("connection");
    if (!notice) return;
    notice.hidden = !lost;
    notice.textContent = lost ? "The dashboard's server does not answer; connecting again…" : "";
  }

  async function check() {
    if (!view || document.visibilityState !== "visible" || !document.getElementById("view-open")) return;
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
      view = { symbol, interval, page, attempt: 0 };
      heard = Date.now();
      const address = "/market/" + symbol + "?interval=" + interval;
      if (location.pathname + location.search !== address) history.replaceState(history.state, "", address);
      document.title = pairs.find((pair) => pair.value === symbol).label + " · CryptoBot";
      return [view, ids.map((id) => String(id.symbol === symbol))];
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
