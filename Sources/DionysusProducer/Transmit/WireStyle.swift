import Dionysus

/// How numbers, times and texts are written, where more than one way would do.
///
/// Consumers of both kinds read both.
public enum WireStyle: String, Sendable, Hashable, CaseIterable {
    /// Times with as many digits as ``ProducerSettings/timeFractionDigits`` says, decimal numbers with the scale that their
    /// attribute declares.
    case dionysus
    /// As dionysus-rb does it, byte for byte: times with 3 digits, `212.6` and `100.0` for decimal numbers, `1.0e+16` for
    /// binary ones, and no characters of HTML in texts.
    ///
    /// For what a Ruby application publishes or consumes too: a message of dionysus-rb can't be told from an older one by its
    /// consumers if the same record's time had more digits before.
    case dionysusRb = "dionysus-rb"
}

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
            for topic in [publication.topic, publication.genesisTopic].compactMap(\.self) { topics[topic] = style }
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

extension WireStyle {
    func encoder(_ fractionDigits: Int) -> JSONTreeEncoder {
        switch self {
        case .dionysus: JSONTreeEncoder(fractionDigits: fractionDigits)
        case .dionysusRb: JSONTreeEncoder(fractionDigits: min(fractionDigits, 3), writesAsRails: true)
        }
    }
}
