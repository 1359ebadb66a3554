import DionysusHealth

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension ApplicationEnvironment {
    /// Logs a service's databases and broker once at its start, and its unprotected connections and files.
    func announce(_ role: ServiceRole) {
        let (database, direction) =
            switch role {
            case .relay: (settings.sourceDatabaseURL, "to")
            case .consumer: (settings.replicaDatabaseURL, "from")
            }
        let client = "as \(settings.clientID(of: role))"
        logger.notice(
            "\(App.name) \(App.version): \(role.rawValue) of \(shownURL(database)) \(direction) \(shownBroker(settings.seedBroker)) \(client)"
        )
        for caution in settings.cautions(role, database: database) { logger.warning("\(caution)") }
    }
}

extension ApplicationSettings {
    fileprivate func cautions(_ role: ServiceRole, database: String) -> [String] {
        let own =
            switch role {
            case .relay: producer.brokerSettings
            case .consumer: consumer.brokerSettings
            }
        let cautions = [
            Self.path(of: database, scheme: "sqlite:").map(Self.caution(file:))
                ?? AddressDisplay.caution(postgres: database),
            Self.path(of: seedBroker, scheme: "embedded:").map(Self.caution(file:))
                ?? AddressDisplay.caution(broker: brokerSettings.merging(own) { $1 }, servers: seedBroker),
        ]
        return cautions.compactMap(\.self)
    }

    private static func path(of url: String, scheme: String) -> String? {
        url.hasPrefix(scheme) ? String(url.dropFirst(scheme.count)) : nil
    }

    /// The warning about a file that contains records, if any.
    private static func caution(file path: String) -> String? {
        var file = stat()
        guard stat(path, &file) == 0, file.st_mode & 0o007 != 0 else { return nil }
        return
            "\(path) is accessible to every user of this machine who can reach it: chmod o-rwx it if that isn't intended"
    }
}
