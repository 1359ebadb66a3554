import Dionysus

/// The address of a database or broker that an application uses.
enum Address: String, Sendable, CaseIterable {
    case source = "SOURCE_DATABASE_URL"
    case replica = "REPLICA_DATABASE_URL"
    case broker = "DIONYSUS_SEED_BROKER"

    /// The addresses that an application's sides need.
    static func all<App: DionysusApplication>(of type: App.Type) -> [Address] {
        (App.hasProducer ? [.source] : []) + (App.hasConsumer ? [.replica] : []) + [.broker]
    }

    var path: SettingPath<String> {
        switch self {
        case .source: \.sourceDatabaseURL
        case .replica: \.replicaDatabaseURL
        case .broker: \.seedBroker
        }
    }

    /// The default if no address is set at all.
    func file(of application: String) -> String {
        switch self {
        case .source: "sqlite:\(application)-data/source.sqlite"
        case .replica: "sqlite:\(application)-data/replica.sqlite"
        case .broker: "embedded:\(application)-data/log.sqlite"
        }
    }
}

extension ApplicationSettings {
    /// Uses files if no address is set.
    ///
    /// If one is set, the operator has decided where data goes, so missing addresses are not guessed.
    /// - Returns: Whether it uses files.
    mutating func useFilesIfNothingIsSet(_ addresses: [Address], application: String) -> Bool {
        guard addresses.allSatisfy({ self[keyPath: $0.path].isEmpty }) else { return false }
        for address in addresses { self[keyPath: address.path] = address.file(of: application) }
        return true
    }

    /// Checks that addresses are set.
    /// - Throws: ``DionysusError`` with code `configuration` that names the missing ones.
    func require(_ addresses: [Address]) throws {
        let missing = addresses.filter { self[keyPath: $0.path].isEmpty }.map(\.rawValue)
        guard !missing.isEmpty else { return }
        let set = Address.allCases.filter { !self[keyPath: $0.path].isEmpty }.map(\.rawValue)
        throw DionysusError(
            .configuration,
            "\(missing.joined(separator: " and ")) must be set, since \(set.joined(separator: " and ")) "
                + (set.count == 1 ? "is" : "are"),
            advice: "addresses are never guessed; sqlite:PATH and embedded:PATH are files"
        )
    }
}
