// Gradio runs this when the page opens, and sends what it gives back: the session, which the server knows, and what
// control_view/keeping.js kept of the text.
() => {
  try {
    return [null, JSON.parse(sessionStorage.getItem("charrnn-text"))];
  } catch {
    return [null, null]; // where the browser allows no storage
  }
};
