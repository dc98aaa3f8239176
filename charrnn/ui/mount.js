// Gradio runs this once per view, with element, props, trigger and watch in scope; the view itself is a module of its own.
// Gradio lets a component send the events whose names it finds quoted here.
const events = ["write", "pause", "resume", "step", "stop", "clear", "settings", "model", "resend"];
const send = (name, data) => events.includes(name) && trigger(name, data);
import(new URL(props.module, document.baseURI).href).then((view) => view.mount({ element, props, watch, send }));
