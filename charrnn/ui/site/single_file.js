// Unpacks the files of a page that is one file, then starts it.
(async () => {
  const packed = new Map([...document.querySelectorAll("script[data-file]")].map((element) => [element.dataset.file, element]));

  /** Return the bytes of base 85, with "." in place of "<": five digits are four bytes, the last digits fewer. */
  function decode(text) {
    const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;.=>?@^_`{|}~";
    const values = new Uint8Array(128);
    for (let i = 0; i < 85; i++) values[digits.charCodeAt(i)] = i;
    const bytes = new DataView(new ArrayBuffer(4 * Math.ceil(text.length / 5)));
    for (let at = 0, to = 0; at < text.length; at += 5, to += 4) {
      let group = 0;
      for (let i = at; i < at + 5; i++) group = 85 * group + (i < text.length ? values[text.charCodeAt(i)] : 84);
      bytes.setUint32(to, group);
    }
    return bytes.buffer.slice(0, Math.floor((4 * text.length) / 5));
  }

  /** Return the bytes of a file. */
  async function read(name) {
    const bytes = decode(packed.get(name).textContent);
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  }

  const urlOf = (...parts) => URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
  const addScript = (source) =>
    new Promise((resolve) => document.head.append(Object.assign(document.createElement("script"), { src: urlOf(source), onload: resolve })));
  const modules = await read("modules");
  await addScript(modules);
  const startWorker = (name) => new Worker(urlOf(modules, `charrnnModule(${JSON.stringify(name)});`));
  const fileUrl = (name) => read(name).then(urlOf);
  Object.assign(charrnnModule("components/edition.js").edition, { fileUrl, startWorker, readFile: read });
  charrnnModule("site/main.js");
})();
