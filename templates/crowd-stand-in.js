/* A small stand-in for the crowd elements of SageMaker Ground Truth, for pages shown without it.

   <crowd-form> behaves as a form. It collects the named fields within it as Ground Truth does:
   radio buttons and check boxes become {value: true or false}, everything else its text. A
   cancelable `submit` event comes first, then a cancelable `crowd-answer` event with the answer in
   `detail`. Unless that is canceled, the answer is posted as {"answerContent": …} to the address in
   `data-action` (then `crowd-saved` follows with the decoded reply, or `crowd-failed` with a
   sentence); where there is no address it is shown below the page. `restore` takes such an answer
   back into the fields; a `crowd-restore` event lets the page draw the rest. <crowd-button> submits
   where it has form-action="submit". */
(() => {
  "use strict";
  if (customElements.get("crowd-form")) return;  // the page was written over one that has them

  function collect(form) {
    const answer = {};
    for (const field of form.querySelectorAll("input, textarea, select")) {
      const name = field.name;
      if (!name || field.disabled) continue;
      if (field.type === "radio" || field.type === "checkbox") {
        const ticks = answer[name] && typeof answer[name] === "object" ? answer[name] : {};
        Object.defineProperty(ticks, field.value, { value: field.checked, enumerable: true, configurable: true, writable: true });
        answer[name] = ticks;
      } else if (!["submit", "button", "reset", "image", "file"].includes(field.type)) {
        answer[name] = field.value;
      }
    }
    return answer;
  }

  class CrowdForm extends HTMLElement {
    #sending = false;

    connectedCallback() {
      if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => this.#complete(), { once: true });
      else this.#complete();
    }

    #complete() {
      if (this.querySelector('crowd-button[form-action="submit"]')) return;
      const button = document.createElement("crowd-button");
      button.setAttribute("form-action", "submit");
      button.textContent = "Submit";
      this.append(button);
    }

    submit() {
      if (this.#sending) return;
      if (!this.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }))) return;
      const answer = collect(this);
      if (!this.dispatchEvent(new CustomEvent("crowd-answer", { bubbles: true, cancelable: true, detail: answer }))) return;
      if (this.dataset.action) this.#post(answer);
      else this.#show("Preview: nothing was sent. The answer would be", answer);
    }

    /* Shows an earlier answer again: in the fields here; what else the page draws, it draws itself. */
    restore(answer) {
      for (const field of this.querySelectorAll("input, textarea, select")) {
        const said = answer[field.name];
        if (field.type === "radio" || field.type === "checkbox") {
          if (said && typeof said === "object") field.checked = said[field.value] === true;
        } else if (typeof said === "string" && !["submit", "button", "reset", "image", "file", "hidden"].includes(field.type)) field.value = said;
      }
      this.dispatchEvent(new CustomEvent("crowd-restore", { bubbles: true, detail: answer }));
    }

    async #post(answer) {
      this.#sending = true;
      let failure = "";
      try {
        const reply = await fetch(this.dataset.action, {
          method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ answerContent: answer }),
        });
        if (!reply.ok) failure = "The answer was not saved (" + reply.status + "). Submit it again.";
        else {
          const text = await reply.text();
          let detail = null;
          try { detail = JSON.parse(text); } catch { /* a reply need not be JSON */ }
          this.dispatchEvent(new CustomEvent("crowd-saved", { bubbles: true, detail }));
        }
      } catch {
        failure = "The answer was not saved: the server cannot be reached. Submit it again.";
      }
      this.#sending = !failure;  // what was saved is not sent again
      if (failure && this.dispatchEvent(new CustomEvent("crowd-failed", { bubbles: true, cancelable: true, detail: failure }))) this.#show(failure);
    }

    #show(sentence, answer) {
      let box = document.getElementById("crowd-stand-in");
      if (!box) {
        box = document.createElement("div");
        box.id = "crowd-stand-in";
        box.setAttribute("role", "alert");
        box.style.cssText = "padding: 1rem; overflow-wrap: anywhere; white-space: pre-wrap; border-top: 3px solid";
        this.after(box);
      }
      box.textContent = sentence + (answer ? ":\n" + JSON.stringify(answer, null, 2) : "");
      box.scrollIntoView();
    }
  }

  class CrowdButton extends HTMLElement {
    connectedCallback() {
      if (!this.hasAttribute("role")) this.setAttribute("role", "button");
      if (!this.hasAttribute("tabindex")) this.tabIndex = 0;
      this.addEventListener("click", () => {
        const form = this.closest("crowd-form");
        if (form && this.getAttribute("form-action") === "submit" && !this.hasAttribute("disabled")) form.submit();
      });
      this.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.click(); }
      });
    }
  }

  customElements.define("crowd-form", CrowdForm);
  customElements.define("crowd-button", CrowdButton);
})();
