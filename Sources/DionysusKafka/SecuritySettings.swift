import Dionysus
import Foundation

/// Finds invalid settings for TLS and credentials before the client connects.
enum SecuritySettings {
    private static let files = [
        "ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.crl.location", "ssl.keystore.location",
    ]

    /// - Throws: ``DionysusError`` with code `configuration`, which lists all faults without values, which may be
    ///   secret.
    static func check(_ settings: [String: String]) throws {
        let faults = files(settings) + tls(settings) + credentials(settings)
        guard !faults.isEmpty else { return }
        throw DionysusError(
            .configuration,
            "the Kafka settings are invalid: \(faults.joined(separator: "; "))",
            advice: "correct them, see docs/security.md"
        )
    }

    private static func files(_ settings: [String: String]) -> [String] {
        files.compactMap { name in
            guard let path = settings[name], !path.isEmpty else { return nil }
            // librdkafka finds the system's CA certificates itself.
            if name == "ssl.ca.location", path == "probe" { return nil }
            return FileManager.default.isReadableFile(atPath: path) ? nil : "\(name): \(path) can't be read"
        }
    }

    private static func tls(_ settings: [String: String]) -> [String] {
        guard !securityProtocol(settings).hasSuffix("ssl") else { return [] }
        let unused = files.filter { settings[$0]?.isEmpty == false }
        return unused.isEmpty
            ? [] : ["\(unused.joined(separator: ", ")) is for TLS, and security.protocol is neither ssl nor sasl_ssl"]
    }

    private static func credentials(_ settings: [String: String]) -> [String] {
        func value(_ names: String...) -> String { names.lazy.compactMap { settings[$0] }.first ?? "" }
        let mechanism = value("sasl.mechanism", "sasl.mechanisms").uppercased()
        let (user, password) = (value("sasl.username"), value("sasl.password"))
        guard securityProtocol(settings).hasPrefix("sasl_") else {
            guard !user.isEmpty || !password.isEmpty || !mechanism.isEmpty else { return [] }
            return ["credentials are set, and security.protocol is neither sasl_ssl nor sasl_plaintext"]
        }
        switch mechanism {
        case "" where !user.isEmpty || !password.isEmpty:
            return ["sasl.mechanism is not set: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 need a user and a password"]
        case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
            return [("sasl.username", user), ("sasl.password", password)].filter { $1.isEmpty }
                .map { name, _ in "\(name) is not set, and sasl.mechanism \(mechanism) needs it" }
        case "OAUTHBEARER":
            let hasToken =
                value("sasl.oauthbearer.method").lowercased() == "oidc"
                || value("enable.sasl.oauthbearer.unsecure.jwt").lowercased() == "true"
            return hasToken
                ? [] : ["sasl.mechanism OAUTHBEARER has no source of tokens: set sasl.oauthbearer.method=oidc"]
        default:
            return []
        }
    }

    private static func securityProtocol(_ settings: [String: String]) -> String {
        settings["security.protocol"]?.lowercased() ?? "plaintext"
    }
}
