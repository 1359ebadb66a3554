import Dionysus

/// How the payloads of each topic are written.
struct WireStyles: Sendable {
    private let topics: [String: WireStyle]
    private let otherwise: WireStyle
    private let fractionDigits: Int

    /// - Parameters:
    ///   - registry: What is published, and in which topics a style was chosen.
    ///   - settings: The style that was chosen for all topics, if any.
    ///   - isRubyOutbox: Whether the outbox is a table of dionysus-rb.
    init(_ registry: Registry, _ settings: ProducerSettings, isRubyOutbox: Bool) {
        var topics: [String: WireStyle] = [:]
        for publication in registry.publications {
            guard let style = publication.wire else { continue }
            for topic in publication.allTopics { topics[topic] = style }
        }
        self.topics = topics
        otherwise = settings.wire ?? (isRubyOutbox ? .dionysusRb : .dionysus)
        fractionDigits = settings.timeFractionDigits
    }

    /// Reads what the outbox of a database is like, where that decides.
    static func read(
        _ registry: Registry,
        _ settings: ProducerSettings,
        from database: any CapturingDatabase
    ) async throws -> WireStyles {
        guard settings.wire == nil else { return WireStyles(registry, settings, isRubyOutbox: false) }
        let path = database.outbox.tables.path
        let table = try await database.transaction(.snapshot) { try $0.describe(table: path) }
        return WireStyles(registry, settings, isRubyOutbox: table.map(Outbox.isMadeByRuby) ?? false)
    }

    func encoder(ofTopic topic: String) -> JSONTreeEncoder { (topics[topic] ?? otherwise).encoder(fractionDigits) }

    /// The topics that are written as dionysus-rb writes them; nil for all of them.
    func rubyTopics(of registry: Registry) -> [String]? {
        let all = Set(registry.publications.map(\.topic))
        let ruby = all.filter { (topics[$0] ?? otherwise) == .dionysusRb }
        return ruby.count == all.count && !all.isEmpty ? nil : ruby.sorted()
    }
}
