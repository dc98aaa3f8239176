// Reduces an answer about all models to the selected ones.

/**
 * Return an answer with the traces, labels, table rows and sentences of these models only.
 *
 * names: null for the initial selection. The axes, and traces and sentences that are about no model, stay as they are.
 */
export function selectModels(answer, names) {
  const { models, initial, if_empty, figure, table } = answer;
  const ticked = models.map(({ name }) => name).filter((name) => (names ?? initial).includes(name));
  const isShown = (model) => !model || ticked.includes(model);
  const shown = answer.sentences.filter(([, about]) => !about.length || about.some(isShown));
  const sentences = ticked.length ? shown : [[if_empty, []]];
  const selected = { ...answer, words: sentences.map(([text]) => text).join(" "), sentences, ticked };
  const data = figure?.data.filter(({ meta }) => isShown(meta));
  if (!ticked.length || !data?.length) return { ...selected, figure: null, table: undefined };
  const annotations = figure.layout.annotations?.filter(({ name }) => isShown(name));
  selected.figure = { ...figure, data, layout: { ...figure.layout, annotations } };
  if (table) selected.table = { ...table, rows: table.rows.filter(({ cells }) => isShown(cells[0].model)) };
  return selected;
}
