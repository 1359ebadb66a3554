import Dionysus
import DionysusProducer

/// What leads to what: observed models, published models, topics, and the tables that keep them; laid out in columns.
struct DeclarationGraph: Sendable {
    private struct Node: Hashable {
        let column: Int
        let title: String
    }

    private var columns: [[String]] = [[], [], [], []]
    private var edges: [(from: Node, to: Node, label: String)] = []

    private static let (width, gap, height, rowHeight) = (200, 60, 24, 34)
    private static let titles = ["parts and observed", "models", "topics", "replicas and dead letters"]

    init(_ system: ObservedSystem) {
        for (topic, model) in system.publications {
            add(1, model.model)
            add(2, topic)
            connect(1, model.model, 2, topic, model.partitionKey)
            for observation in model.observations {
                add(0, observation.model)
                connect(0, observation.model, 1, model.model, observation.attributes.joined(separator: ", "))
            }
            for part in model.parts {
                add(0, part.model)
                connect(0, part.model, 1, model.model, "is part of")
            }
        }
        guard let outline = system.consumer?.outline else { return }
        for topic in outline.topics where !topic.isPattern {
            add(2, topic.name)
            let models = Set(system.publications.filter { $0.topic == topic.name }.map(\.model.model))
            for model in models.sorted() {
                let declared = outline.replicas.first { $0.model == model }
                // What isn't declared is kept in the table of its plural.
                guard let table = declared == nil ? system.conventionalTable(of: model) : declared?.table else {
                    continue
                }
                add(3, table)
                connect(2, topic.name, 3, table, model)
            }
        }
        for topic in outline.topics where !topic.isPattern {
            guard let dead = topic.deadLetters else { continue }
            add(3, dead)
            connect(2, topic.name, 3, dead, "dead letters")
        }
    }

    private mutating func add(_ column: Int, _ title: String) {
        if !columns[column].contains(title) { columns[column].append(title) }
    }

    private mutating func connect(_ column: Int, _ title: String, _ next: Int, _ other: String, _ label: String) {
        edges.append((Node(column: column, title: title), Node(column: next, title: other), label))
    }

    var html: HTML {
        guard columns.contains(where: { !$0.isEmpty }) else { return "<p class=\"empty\">Nothing is declared.</p>" }
        let rows = columns.map(\.count).max() ?? 1
        let (width, height) = (4 * Self.width + 3 * Self.gap, rows * Self.rowHeight + 24)
        let heads = Self.titles.enumerated()
            .map { column, title -> HTML in
                "<text class=\"tick\" x=\"\(column * (Self.width + Self.gap))\" y=\"12\">\(title)</text>"
            }
        let lines = edges.map { edge -> HTML in
            let (from, to) = (place(edge.from), place(edge.to))
            let (x, end, middle) = (from.x + Self.width, to.x, Self.height / 2)
            return """
                <path class="edge" d="M\(x) \(from.y + middle)C\(x + 30) \(from.y + middle) \(end - 30) \(to.y + middle) \(end) \
                \(to.y + middle)"><title>\(edge.from.title) → \(edge.to.title): \(edge.label)</title></path>
                """
        }
        let boxes = columns.enumerated()
            .flatMap { column, titles in
                titles.map { title -> HTML in
                    let place = place(Node(column: column, title: title))
                    let short = title.count > 26 ? "\(title.prefix(25))…" : title
                    return """
                        <g><title>\(title)</title><rect x="\(place.x)" y="\(place.y)" width="\(Self.width)" height="\(Self.height)" rx="3"/>\
                        <text x="\(place.x + 8)" y="\(place.y + 16)">\(short)</text></g>
                        """
                }
            }
        let text = edges.map { "\($0.from.title) leads to \($0.to.title) (\($0.label))" }.joined(separator: "; ")
        return """
            <div class="scroll"><svg class="graph" viewBox="0 0 \(width) \(height)" width="\(width)" height="\(height)" role="img" \
            aria-label="\(text)">\(heads)\(lines)\(boxes)</svg></div>
            """
    }

    private func place(_ node: Node) -> (x: Int, y: Int) {
        let row = columns[node.column].firstIndex(of: node.title) ?? 0
        return (node.column * (Self.width + Self.gap), row * Self.rowHeight + 22)
    }
}
