// Puts a prefix before the names of topics.
import * as towpath from "./towpath/plugin.js";

const described = {
  name: "{{name}}",
  version: "0.1.0",
  documentation: "Puts a prefix before the names of topics.",
  config: [towpath.required("prefix", "string", "Such as eu-1.")],
};

export const { plugin, router } = towpath.router(described, (config) => {
  const prefix = config.string("prefix") ?? "";
  if (prefix === "") {
    config.mistake("prefix", "must not be empty; such as eu-1.");
  }
  return {
    mapTopic: (topic) => prefix + topic,
    // the way back: the host checks that it leads to where the topic came from
    unmapTopic: (topic) => (topic.startsWith(prefix) ? topic.slice(prefix.length) : null),
  };
});
