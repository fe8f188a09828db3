// What the form does beyond plain HTML. Without it all works too, if less comfortably.
"use strict";

// Whoever uses a screen reader hears first what went wrong, or that the email was sent again.
(document.getElementById("summary") ?? document.getElementById("sent"))?.focus();

// A form is sent once, however often its button is pressed, and not while it has to wait.
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.wait || form.dataset.sent) event.preventDefault();
    else form.dataset.sent = "yes";
  });
}

// A page that comes back by the button "back" can be sent again.
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// Counts down until the email can be asked for again. The button can be reached meanwhile, and says
// how long; a screen reader is told of the end, not of every second.
function countDown(form) {
  const button = document.getElementById("resend");
  const wait = document.getElementById("wait");
  const end = Date.now() + Number(form.dataset.wait) * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left > 0) {
      wait.querySelector("span").textContent = left === 1 ? "1 second" : `${left} seconds`;
      setTimeout(tick, 250);
      return;
    }
    delete form.dataset.wait;
    button.removeAttribute("aria-disabled");
    wait.textContent = "";
    document.getElementById("ready").textContent = "You can ask for the email again now";
  };
  button.setAttribute("aria-disabled", "true");
  tick();
}

const waiting = document.querySelector("form[data-wait]");
if (waiting) countDown(waiting);
