// Gradio runs this once per view, with element, trigger, props and watch in scope; the view itself is a module of its own.
// Values that arrive while the module is on its way wait for it.
const waiting = props.value ? [props.value] : [];
let receive = (value) => waiting.push(value);
watch("value", () => receive(props.value));

// Gradio lets a component send the events whose names it finds quoted here.
const events = ["ask", "scene", "reveal", "refresh"];
let sent = 0; // they may arrive in any order: the server sees by the number which is the newest
const send = (name, data) => events.includes(name) && trigger(name, { ...data, sent: (sent += 1) });

function failed(error) {
  const line = document.createElement("p");
  line.style.overflowWrap = "anywhere"; // it names an address, which a phone has no room for
  line.textContent = "This part of the page could not be loaded (" + error.message + "): reload the page.";
  element.replaceChildren(line);
}

import(new URL(props.module, document.baseURI).href).then(({ mount }) => {
  const show = mount({ element, send });
  receive = (value) => value && show(value);
  waiting.forEach(receive);
}, failed);
