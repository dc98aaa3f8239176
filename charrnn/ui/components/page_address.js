// Sends Gradio's requests to the address at which the page was opened. Behind a proxy, Gradio's configuration names the host that the
// proxy uses. This script is part of the page's HTML, so that it runs before Gradio's modules.
gradio_config.root = new URL(".", document.baseURI).href.replace(/\/$/, "");
