/* Candidates: chosen anew a moment after each change, told in the panel, shown in a view of their own. */

import { mountSummary } from "./candidates_panel.js";
import { mountView } from "./candidates_view.js";
import { $ } from "./dom.js";
import { live } from "./live.js";

/** `element` is the place of the view; the summary has its own place in the panel. */
export function mount(element, store, api) {
  mountView(element, store);
  mountSummary($("panel-candidates"), store);
  live.begin(store, api);
}
