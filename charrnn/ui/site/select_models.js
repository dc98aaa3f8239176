// Reduces an answer about all models to the selected ones.

/**
 * Return an answer with the traces, labels, table rows and sentences of these models only.
 *
 * names: null for the initial selection. The axes, and traces and sentences that are about no model, stay as they are.
 */
export function selectModels(answer, names) {
  const { models, initial, if_empty, figure, table } = answer;
  const selected = models.map(({ name }) => name).filter((name) => (names ?? initial).includes(name));
  const isShown = (model) => !model || selected.includes(model);
  const shown = answer.sentences.filter(([, about]) => !about.length || about.some(isShown));
  const sentences = selected.length ? shown : [[if_empty, []]];
  const reduced = { ...answer, words: sentences.map(([text]) => text).join(" "), sentences, selected };
  const data = figure?.data.filter(({ meta }) => isShown(meta));
  if (!selected.length || !data?.length) return { ...reduced, figure: null, table: undefined };
  const annotations = figure.layout.annotations?.filter(({ name }) => isShown(name));
  reduced.figure = { ...figure, data, layout: { ...figure.layout, annotations } };
  if (table) reduced.table = { ...table, rows: table.rows.filter(({ cells }) => isShown(cells[0].model)) };
  return reduced;
}
