// The globals of a browser that components/page_state.js reads when it is imported.
globalThis.window = globalThis;
globalThis.location = { search: "" };
globalThis.document = { documentElement: { lang: "en" } };
globalThis.MutationObserver = class {
  observe() {}
};
