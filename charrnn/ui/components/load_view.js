// Loads the module of a view. Gradio runs this once per view, with element, trigger, props and watch in scope.
// Values that arrive before the module has loaded are queued.
const waiting = props.value ? [props.value] : [];
let receive = (value) => waiting.push(value);
watch("value", () => receive(props.value));

// Gradio lets a component send only the events whose names are quoted here.
const events = ["ask", "scene", "reveal", "refresh"];
let sent = 0; // events may arrive in any order; the server finds the newest by this number
const send = (name, data) => events.includes(name) && trigger(name, { ...data, sent: (sent += 1) });

// A form that is submitted before the module has loaded would reload the page. It is submitted again when the module has loaded.
let submittedEarly = null;
element.addEventListener("submit", (event) => {
  event.preventDefault();
  submittedEarly = event.target;
});

const load = (path) => import(new URL(path, document.baseURI).href);
const loadError = load("charrnn/components/load_error.js"); // now, since the server may be away when another tab is opened
load(props.module).then(({ mount }) => {
  const show = mount({ element, send });
  receive = (value) => value && show(value); // a view without an analysis receives none
  waiting.forEach(receive);
  submittedEarly?.requestSubmit();
}, async (error) => (await loadError).showLoadError(element, error));
