// Answers that the static page computes itself.

import { provider } from "../session/page_session.js";
import { sourceMessage } from "./source_values.js";

/** By view: yields the messages of an answer. kept: those kept for the query, or null; see answers.js. */
export const liveAnswers = {
  async *"under_the_hood/source_trace"(query, [template]) {
    yield template.blocks ? await sourceMessage(await provider.engineFor(), template, query) : template;
  },
};
