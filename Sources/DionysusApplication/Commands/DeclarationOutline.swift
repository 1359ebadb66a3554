import Dionysus
import DionysusConsumer
import DionysusProducer

/// An outline of an application's declaration, as text and as JSON.
struct DeclarationOutline: Sendable {
    let published: [PublishedTopicOutline]
    let consumed: ConsumerOutline

    // MARK: Text

    var text: String {
        var blocks: [String] = []
        if !published.isEmpty {
            blocks.append("PUBLISHED")
            blocks += published.map { topic in
                let encoding = topic.encoding == "envelope" ? "" : ", \(topic.encoding)"
                let head = topic.name + (topic.genesisTopic.map { " (and \($0))" } ?? "") + encoding
                return ([head] + topic.models.flatMap(Self.lines)).joined(separator: "\n")
            }
        }
        if !consumed.topics.isEmpty {
            blocks.append("CONSUMED")
            blocks.append(
                tableText(
                    ["TOPIC", "STARTS AT", "MESSAGES THAT FAIL", "OPTIONS"],
                    consumed.topics.map { topic in
                        [
                            topic.isPattern ? "/\(topic.name)/" : topic.name, topic.start.defaultValueDescription,
                            topic.onFailure, topic.options.isEmpty ? "-" : topic.options.joined(separator: ", "),
                        ]
                    }
                )
            )
            blocks.append("REPLICAS")
            let rows = consumed.replicas.map { replica in
                [
                    replica.model, replica.namespace ?? "all", replica.table ?? "-", replica.storage,
                    replica.options.isEmpty ? "-" : replica.options.joined(separator: ", "),
                ]
            }
            blocks.append(
                tableText(
                    ["MODEL", "NAMESPACE", "TABLE", "STORAGE", "OPTIONS"],
                    rows + [["any other", "all", "its plural", "table, if it exists", "-"]]
                )
            )
        }
        return blocks.joined(separator: "\n\n")
    }

    private static func lines(_ model: PublishedModelOutline) -> [String] {
        var lines = [
            "  \(model.model) (table \(model.table)), partitioned by \(model.partitionKey)",
            "    attributes: \(model.attributes.joined(separator: ", "))",
        ]
        if !model.links.isEmpty { lines.append("    links: \(model.links.joined(separator: ", "))") }
        lines += model.parts.flatMap { Self.lines($0, indent: "    ") }
        lines += model.observations.map { observation in
            "    observes \(observation.model) (\(observation.attributes.joined(separator: ", "))) by \(observation.path)"
        }
        lines += model.derivedObservations.map { observation in
            let columns = observation.columns.isEmpty ? "its rows" : observation.columns.joined(separator: ", ")
            let paths = observation.paths.filter { !$0.isEmpty }.joined(separator: " and ")
            return
                "    for \(observation.attribute) observes \(observation.table) (\(columns))\(paths.isEmpty ? "" : " by \(paths)")"
        }
        lines += model.polls.map { "    polled \($0)" }
        return lines
    }

    private static func lines(_ part: PublishedModelOutline.Part, indent: String) -> [String] {
        ["\(indent)with \(part.model) by \(part.path)"] + part.parts.flatMap { lines($0, indent: indent + "  ") }
    }

    // MARK: JSON

    var json: JSON {
        .object([
            "published": .array(published.map(Self.json)), "consumed": .array(consumed.topics.map(Self.json)),
            "replicas": .array(consumed.replicas.map(Self.json)),
        ])
    }

    private static func json(_ topic: PublishedTopicOutline) -> JSON {
        .object([
            "topic": .string(topic.name), "genesis_topic": topic.genesisTopic.map(JSON.string) ?? .null,
            "encoding": .string(topic.encoding),
            "models": .array(topic.models.map(json)),
        ])
    }

    private static func json(_ model: PublishedModelOutline) -> JSON {
        .object([
            "model": .string(model.model), "table": .string(model.table), "partition_key": .string(model.partitionKey),
            "attributes": .array(model.attributes.map(JSON.string)), "links": .array(model.links.map(JSON.string)),
            "with": .array(model.parts.map(json)),
            "observes": .array(
                model.observations.map { observation in
                    .object([
                        "model": .string(observation.model),
                        "attributes": .array(observation.attributes.map(JSON.string)),
                        "through": .string(observation.path),
                    ])
                }
            ),
            "derived": .array(model.derivedObservations.map(json)), "polls": .array(model.polls.map(JSON.string)),
        ])
    }

    private static func json(_ observation: PublishedModelOutline.DerivedObservation) -> JSON {
        .object([
            "attribute": .string(observation.attribute), "table": .string(observation.table),
            "columns": .array(observation.columns.map(JSON.string)),
            "through": .array(observation.paths.map(JSON.string)),
        ])
    }

    private static func json(_ part: PublishedModelOutline.Part) -> JSON {
        .object([
            "model": .string(part.model), "through": .string(part.path), "with": .array(part.parts.map(json)),
        ])
    }

    private static func json(_ topic: ConsumerOutline.Topic) -> JSON {
        .object([
            "topic": .string(topic.name), "pattern": .bool(topic.isPattern),
            "start": .string(topic.start.defaultValueDescription), "on_failure": .string(topic.onFailure),
            "dead_letters": topic.deadLetters.map(JSON.string) ?? .null,
            "options": .array(topic.options.map(JSON.string)),
        ])
    }

    private static func json(_ replica: ConsumerOutline.Replica) -> JSON {
        .object([
            "model": .string(replica.model), "namespace": replica.namespace.map(JSON.string) ?? .null,
            "table": replica.table.map(JSON.string) ?? .null, "storage": .string(replica.storage),
            "options": .array(replica.options.map(JSON.string)),
        ])
    }
}
