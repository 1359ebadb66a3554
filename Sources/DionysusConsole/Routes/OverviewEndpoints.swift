import Dionysus

extension Endpoint {
    static let overview: [Endpoint] = [
        page("/", "How everything is", isLive: true) { call in
            .page(.overview(await OverviewReport.read(call.core, span: try span(call)), call.frame))
        },
        read(
            "/overview",
            "How everything is: the verdict, the outbox, the replica, topics, processes and open runs",
            answer: [
                ("verdict", "state (well, late, stuck, idle) and text"),
                ("outbox", "what waits; null without a producer"),
                ("replica", "lag and failures"), ("topics", "a list, with rates per second"),
                ("processes", "who is at work"),
                ("runs", "those that are open"),
            ]
        ) { call in .json(await OverviewReport.read(call.core, span: try span(call)).json) },
        read(
            "/samples",
            "What processes have written about themselves over a time",
            query: [.choice("span", OverviewReport.spans.map(\.name), "how long; 1h by default")],
            answer: [
                ("start", "when the first value begins"), ("step_seconds", "the time of one value"),
                ("per_second", "lists by role; null where nothing was written"),
                ("latency_average", "seconds from commit to broker, by role"),
                ("latency_longest", "the longest of them"),
                ("age", "seconds of the oldest that waits"), ("failures_per_second", "by role"),
            ]
        ) { call in
            guard let series = await call.core.series(try span(call)).value ?? nil else {
                throw DionysusError(.declaration, "there are no samples", advice: "run migrate")
            }
            func lists(_ values: [String: [Double?]]) -> JSON {
                .object(
                    JSON.Object(
                        values.sorted { $0.key < $1.key }.map { .init($0.key, .array($0.value.map { JSON($0) })) }
                    )
                )
            }
            return .json(
                .object([
                    "start": .init(series.start), "step_seconds": .integer(series.step),
                    "per_second": lists(series.rates), "latency_average": lists(series.latencyAverages),
                    "latency_longest": lists(series.latencyLongest), "age": lists(series.ages),
                    "failures_per_second": lists(series.failures),
                ])
            )
        },
        page("/search", "What a text means") { call in
            let text = (call.query["q"] ?? "").trimmed
            let links = Search(call.system).places(text)
            if links.count == 1, let only = links.first { return .redirect(only.path) }
            return .page(.search(text, links, call.frame))
        },
        read(
            "/search",
            "What a text means: a record, a key, a message, a row or a failure",
            query: [.text("q", "Rental 42, Rental:42, topic/partition/offset, or a number", required: true)],
            answer: [("places", "a list with path and title")]
        ) { call in
            let places = Search(call.system).places(try call.query.required("q").trimmed)
            return .json(
                .object([
                    "places": .array(
                        places.map { .object(["path": .string($0.path), "title": .string($0.title)]) }
                    )
                ])
            )
        },
        page("/keys", "The keys") { _ in .page(.keys) },
        page("/live", "A page's changes, as server-sent events") { call in .live(call.query["page"] ?? "/") },
    ]

    private static func span(_ call: Call) throws -> Int64 {
        let name = call.query["span"] ?? "1h"
        guard let span = OverviewReport.spans.first(where: { $0.name == name }) else {
            throw DionysusError(
                .malformed,
                "span must be one of \(OverviewReport.spans.map(\.name).joined(separator: ", "))"
            )
        }
        return span.seconds
    }
}

/// What a text in the search box means.
struct Search: Sendable {
    private let system: ObservedSystem

    init(_ system: ObservedSystem) { self.system = system }

    func places(_ text: String) -> [(path: String, title: String)] {
        guard !text.isEmpty, text.utf8.count <= 500 else { return [] }
        if let match = text.wholeMatch(of: /([^\/\s]+)\/([0-9]{1,9})\/([0-9]{1,18})/), let partition = Int32(match.2),
            let offset = Int64(match.3)
        {
            let topic = String(match.1)
            return [(Link.messages(topic, partition: partition, offset: offset), "the message \(text)")]
        }
        if let match = text.wholeMatch(of: /([A-Za-z_][A-Za-z0-9_:]*?)[:\s]\s*(\S.*)/) {
            let name = String(match.1)
            let model = system.models.first { $0.lowercased() == name.lowercased() } ?? name
            return [(Link.record(model, String(match.2)), "\(model) \(match.2)")]
        }
        var places: [(path: String, title: String)] = []
        if Int64(text) != nil {
            if system.producer != nil { places.append(("/outbox/\(text)", "row \(text) of the outbox")) }
            if system.consumer != nil { places.append(("/failures/\(text)", "failure \(text)")) }
        }
        if !text.contains(where: \.isWhitespace) {
            // Only a message's own id has two dashes at least: source, row and topic.
            if let row = text.wholeMatch(of: /.*-([0-9]+)-[^\-]+/)?.1, system.producer != nil {
                places.append(("/outbox/\(row)", "row \(row) of the outbox, of the event \(text)"))
            }
            places += system.models.map { (Link.record($0, text), "\($0) \(text)") }
        }
        return places
    }
}

extension String {
    /// Without white space at both ends.
    var trimmed: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
