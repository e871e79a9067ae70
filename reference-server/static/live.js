// Puts back what somebody typed into a form that was not taken because their session had ended: the page that says so is read once, and
// the page with the form, which they come to by logging in, gets it. Whoever goes elsewhere first leaves nothing behind in the browser.
"use strict";
(() => {
  const name = "kept";
  const region = document.querySelector("[data-kept]");
  // What somebody typed goes back to nobody else who logs in here.
  const account = document.querySelector("[data-account]")?.dataset.account;
  try {
    if (region) {
      const fields = [...region.querySelectorAll("[data-name]")].map((field) => [field.dataset.name, field.value]);
      sessionStorage.setItem(name, JSON.stringify({ who: sessionStorage.getItem("account"), action: region.dataset.kept, fields }));
      return;
    }
    if (location.pathname === "/login") return;
    if (account) sessionStorage.setItem("account", account);
    const kept = JSON.parse(sessionStorage.getItem(name));
    sessionStorage.removeItem(name);
    if (kept?.who !== account) return;
    const form = kept && [...document.forms].find((form) => form.getAttribute("action") === kept.action);
    if (!form) return;
    for (const [name, value] of kept.fields) {
      const field = form.elements.namedItem(name);
      if (!field || ["file", "hidden", "password"].includes(field.type)) continue;
      if (field.type === "checkbox") field.checked = true;
      else field.value = value;
    }
    for (let fold = form.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    const said = document.createElement("p");
    said.className = "say say-good";
    said.setAttribute("role", "status");
    said.textContent = "What you had typed is back in this form; it was not sent. Files must be chosen again.";
    form.prepend(said);
    said.scrollIntoView();
  } catch {
    // A browser that keeps nothing has shown it, to be copied.
  }
})();

// Keeps a page fresh: when the server says that something changed, the same page is read again and its marked regions
// are swapped. What somebody is typing, or has typed and not sent, is never touched.
(() => {
  const source = document.querySelector("[data-live]");
  if (!source || !window.EventSource) return;
  const status = document.getElementById("live-status");
  let reading = false;
  let again = false;
  let gone = false;

  const isBlank = (field) =>
    field.type === "hidden" || (field.tagName === "SELECT"
      ? [...field.options].every((option) => option.selected === option.defaultSelected) || field.selectedIndex <= 0
      : field.type === "checkbox" || field.type === "radio"
        ? field.checked === field.defaultChecked
        : field.value === field.defaultValue);
  const isBegun = (part) =>
    part.querySelector("[aria-invalid]") || part.contains(document.activeElement) ||
    [...part.querySelectorAll("input, select, textarea")].some((field) => !isBlank(field));
  const isBusy = (region) => region.querySelector("details[open]") || (region.querySelector("form") && isBegun(region));
  // Every page has its own keys, by which a form that is sent twice is known.
  const plain = (region) => region.innerHTML.replace(/(name="key" value=")[^"]*/g, "$1");

  // Of what is left as it is, because somebody writes there, what cannot be sent any more goes or says so. Its words stay, to be copied.
  function prune(region, fresh) {
    const offered = new Set([...fresh.forms].map((form) => form.getAttribute("action")));
    for (const form of region.querySelectorAll("form")) {
      const said = form.querySelector("[data-over]");
      // An answer to a question that is over is still a message, and a message to whoever has asked meanwhile is the answer.
      const own = form.getAttribute("action");
      const other = own.replace(/\/(answer|post)(?=$|\?)/, (_, name) => (name === "answer" ? "/post" : "/answer"));
      if (!offered.has(own) && offered.has(other)) form.setAttribute("action", other);
      const over = !offered.has(form.getAttribute("action"));
      for (const button of form.querySelectorAll("button")) button.disabled = over;
      if (!over) {
        said?.remove();
      } else if (!isBegun(form)) {
        (form.closest("details") ?? form).remove();
      } else if (!said) {
        const over = document.createElement("p");
        over.className = "say say-warn";
        over.dataset.over = "";
        over.textContent = "The complaint has changed, and this cannot be done any more. What you typed is not sent; copy what you still need.";
        form.prepend(over);
      }
    }
  }

  // What stands here belongs to somebody who may not see it any more: all of it goes, but for what they are typing themselves.
  function clear(said, link, mine = []) {
    gone = true;
    rest();
    const heading = document.createElement("h1");
    heading.textContent = said;
    const way = document.createElement("p");
    way.append(Object.assign(document.createElement("a"), link));
    const drafts = mine.flatMap((draft) => {
      const title = document.createElement("h2");
      title.textContent = "What you typed was not sent; copy what you still need";
      draft.readOnly = true;
      return [title, draft];
    });
    source.replaceChildren(...(status ? [status] : []), heading, ...drafts, way);
    if (status) status.textContent = said;
    document.title = said;
  }

  async function refresh() {
    if (reading) { again = true; return; }
    reading = true;
    try {
      // Nobody asked for it: the header keeps it from counting as use of the session.
      const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html", "X-Background": "1" } });
      const at = new URL(answer.url);
      if (answer.redirected && at.pathname === "/login") {
        clear("You are logged out.", { href: at.pathname + at.search, textContent: "Log in again" });
        return;
      }
      if (answer.status === 403 || answer.status === 404) {
        const one = location.pathname.startsWith("/complaints/");
        const mine = [...source.querySelectorAll("textarea")].filter((it) => it.value.trim() && it.value !== it.defaultValue);
        clear(one ? "This complaint is no longer yours to see." : "This page is no longer yours to see.", { href: "/", textContent: "Go on" }, mine);
        return;
      }
      // A signed link says of itself that it does not work any more.
      if (answer.status === 422 && at.pathname.startsWith("/track/")) {
        clear("This link does not work any more.", { href: "/track", textContent: "Have a new one sent, or log in" });
        return;
      }
      if (!answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      let kept = false;
      let changed = false;
      for (const region of document.querySelectorAll("[data-live-region]")) {
        const next = fresh.getElementById(region.id);
        if (!next || plain(next) === plain(region)) continue;
        changed = true;
        if (isBusy(region)) { kept = true; prune(region, fresh); continue; }
        const focused = document.activeElement && region.contains(document.activeElement) ? document.activeElement.id : "";
        region.replaceChildren(...next.childNodes);
        region.classList.remove("fresh");
        void region.offsetWidth;
        region.classList.add("fresh");
        if (focused) document.getElementById(focused)?.focus();
      }
      // What was said of the last command is old news above what came after it.
      if (changed) document.querySelector("[data-said]")?.remove();
      if (status) status.textContent = kept
        ? "This page has changed. What you are typing is kept; reload before you send anything but a message."
        : "This page was just updated.";
    } catch {
      // Off line: the stream reconnects by itself and brings the next change.
    } finally {
      reading = false;
      if (again) { again = false; refresh(); }
    }
  }

  // A browser lets one site have six connections, open streams among them: tabs that nobody looks at must not hold them all.
  // What such a page missed, it reads when it is looked at again, once its stream is open and nothing more can be missed.
  let stream = null;
  let missed = document.hidden;
  function listen() {
    if (stream || gone || document.hidden) return;
    stream = new EventSource(source.dataset.live);
    for (const name of ["changed", "gone", "missed"]) stream.addEventListener(name, refresh);
    stream.onopen = () => { if (missed) refresh(); missed = true; };
    // A stream that ended comes back by itself, unless the server refuses it: then it is to be seen why.
    stream.onerror = () => { if (stream && stream.readyState === EventSource.CLOSED) refresh(); };
  }
  function rest() {
    if (stream) stream.close();
    stream = null;
  }

  listen();
  document.addEventListener("visibilitychange", () => { if (document.hidden) rest(); else listen(); });
  addEventListener("pagehide", rest);
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
})();

// Says while a new password is typed what the server will say of it. Without script it says so when the form is sent.
(() => {
  const password = document.querySelector("input[name=password][autocomplete=new-password]");
  const form = password?.form;
  if (!form) return;
  const said = document.createElement("span");
  said.className = "hint";
  said.setAttribute("role", "status");
  password.after(said);
  const again = form.elements.namedItem("password_again");
  const typed = (name) => form.elements.namedItem(name)?.value ?? "";
  let waiting = 0;
  let asked = 0;
  async function ask() {
    const mine = ++asked;
    if (!password.value) { said.textContent = ""; return; }
    try {
      const answer = await fetch("/api/v1/accounts/password/verdict", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ password: password.value, name: typed("name"), email: typed("email") }),
      });
      if (!answer.ok || mine !== asked) return;
      said.textContent = (await answer.json()).message;
    } catch {
      // Off line: it is said when the form is sent.
    }
  }
  const compare = () => again?.setCustomValidity(again.value === password.value ? "" : "The two passwords differ.");
  password.addEventListener("input", () => {
    compare();
    clearTimeout(waiting);
    waiting = setTimeout(ask, 300);
  });
  again?.addEventListener("input", compare);
})();
