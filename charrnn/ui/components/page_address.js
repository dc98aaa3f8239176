// Sends Gradio's requests to where the page was opened. It reads their address from this configuration, which names the host that a
// proxy has asked the server for. Part of the page itself: it runs before Gradio's modules.
gradio_config.root = new URL(".", document.baseURI).href.replace(/\/$/, "");
