// Runs the engine in a worker, for session/engine_provider.js.
//
// In: { id, method, call }, { id, abort }, { forget }, { load, network } or { load, error, unreachable }. Out: { id, piece } or { id, error, unreachable },
// { load, checkpoint }: the page sends the network; and { ready } once, when every module is loaded.

import { Engine } from "./engine.js";

/** Answer the messages of a port. */
export function serve(port) {
  const loading = new Map(); // number -> { resolve, reject }
  const running = new Map(); // id -> AbortController
  let loads = 0;

  const engine = new Engine((checkpoint) => {
    loads += 1;
    port.postMessage({ load: loads, checkpoint });
    return new Promise((resolve, reject) => loading.set(loads, { resolve, reject }));
  });

  async function answer({ id, method, call }) {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const piece = await engine[method](call, controller.signal);
      const arrays = Object.values(piece).filter(ArrayBuffer.isView);
      port.postMessage({ id, piece }, arrays.map((array) => array.buffer));
    } catch (error) {
      port.postMessage({ id, error: error.message, unreachable: error.unreachable });
    } finally {
      running.delete(id);
    }
  }

  port.addEventListener("message", ({ data }) => {
    if (data.load) {
      const { resolve, reject } = loading.get(data.load);
      loading.delete(data.load);
      if (data.network) resolve(data.network);
      else reject(Object.assign(new Error(data.error), { unreachable: data.unreachable }));
    } else if (data.forget) engine.networks.clear();
    else if (data.abort) running.get(data.id)?.abort();
    else answer(data);
  });
  port.postMessage({ ready: true });
}

if (typeof WorkerGlobalScope !== "undefined") serve(globalThis);
