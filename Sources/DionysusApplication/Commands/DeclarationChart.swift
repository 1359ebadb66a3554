import DionysusConsumer
import DionysusProducer

extension DeclarationOutline {
    /// A Mermaid flow chart of the models, their topics and the replicas.
    var mermaid: String {
        var chart = MermaidChart()
        for topic in published {
            let node = chart.node(.topic, topic.name)
            for model in topic.models {
                let source = chart.node(.model, model.model)
                chart.edge(source, node, "by \(model.partitionKey)")
                if let genesis = topic.genesisTopic { chart.edge(source, chart.node(.topic, genesis)) }
                for part in model.parts { chart.add(part, of: source) }
                for observation in model.observations {
                    let label = "changes of \(observation.attributes.joined(separator: ", "))"
                    chart.edge(chart.node(.model, observation.model), source, label, isDotted: true)
                }
            }
        }
        if !consumed.topics.isEmpty {
            let consumer = chart.node(.consumer, "consumer")
            for topic in consumed.topics {
                chart.edge(chart.node(.topic, topic.name), consumer)
                if let letters = topic.deadLetters {
                    chart.edge(consumer, chart.node(.topic, letters), "messages that fail", isDotted: true)
                }
            }
            for replica in consumed.replicas {
                guard let table = replica.table else { continue }
                chart.edge(consumer, chart.node(.table, table), replica.model)
            }
        }
        return chart.text
    }
}

/// The lines of a flow chart; nodes have numbers as names, so that a label can't terminate one.
private struct MermaidChart {
    enum Shape: String {
        case model, topic, consumer, table
    }

    private var nodes: [(shape: Shape, label: String)] = []
    private var edges: [String] = []

    mutating func node(_ shape: Shape, _ label: String) -> String {
        if let index = nodes.firstIndex(where: { $0.shape == shape && $0.label == label }) { return "n\(index)" }
        nodes.append((shape, label))
        return "n\(nodes.count - 1)"
    }

    mutating func edge(_ from: String, _ to: String, _ label: String? = nil, isDotted: Bool = false) {
        let arrow = isDotted ? "-.->" : "-->"
        let line = "  \(from) \(arrow)\(label.map { "|\"\(Self.escaped($0))\"|" } ?? "") \(to)"
        if !edges.contains(line) { edges.append(line) }
    }

    mutating func add(_ part: PublishedModelOutline.Part, of whole: String) {
        let node = node(.model, part.model)
        edge(node, whole, "part of")
        for inner in part.parts { add(inner, of: node) }
    }

    var text: String {
        let nodes = nodes.enumerated()
            .map { index, node in
                let label = "\"\(Self.escaped(node.label))\""
                return switch node.shape {
                case .model: "  n\(index)[\(label)]"
                case .topic: "  n\(index)([\(label)])"
                case .consumer: "  n\(index){{\(label)}}"
                case .table: "  n\(index)[(\(label))]"
                }
            }
        return (["flowchart LR"] + nodes + edges).joined(separator: "\n")
    }

    private static func escaped(_ label: String) -> String {
        label.unicodeScalars.reduce(into: "") { text, scalar in
            let isPlain = scalar.properties.isAlphabetic || "0123456789_.-/^$*+?()[] ,".unicodeScalars.contains(scalar)
            if isPlain { text.unicodeScalars.append(scalar) } else { text += "#\(scalar.value);" }
        }
    }
}
