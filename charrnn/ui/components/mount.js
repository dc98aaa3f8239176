// Gradio runs this once per view, with element, trigger, props and watch in scope. The view itself is a module.
// Values that arrive before the module has loaded are queued.
const waiting = props.value ? [props.value] : [];
let receive = (value) => waiting.push(value);
watch("value", () => receive(props.value));

// Gradio allows a component the events whose names it finds quoted here.
const events = ["ask", "scene", "reveal", "refresh"];
let sent = 0; // they may arrive in any order; the server finds the newest by number
const send = (name, data) => events.includes(name) && trigger(name, { ...data, sent: (sent += 1) });

function failed(error) {
  const line = document.createElement("p");
  line.style.overflowWrap = "anywhere"; // the message contains a URL, which is too wide for phones
  line.textContent = "This part of the page could not be loaded (" + error.message + "): reload the page.";
  element.replaceChildren(line);
}

element.addEventListener("submit", (event) => event.preventDefault()); // before the module loads, it would reload the page

import(new URL(props.module, document.baseURI).href).then(({ mount }) => {
  const show = mount({ element, send });
  receive = (value) => value && show(value);
  waiting.forEach(receive);
}, failed);
