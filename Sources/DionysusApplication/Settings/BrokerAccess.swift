import Foundation

/// The access to a Kafka cluster, in separate parts, so that each can come from a different source.
///
/// If only a user is set, the client uses PLAIN over TLS; if only a CA is set, TLS.
public struct BrokerAccess: Sendable {
    /// A file with broker client settings, one `name=value` per line; lines that begin with `#` are comments.
    ///
    /// A value extends to the end of its line, unescaped. `DIONYSUS_BROKER_SETTINGS` overrides the file.
    public var settingsFile: String?
    /// The user: `sasl.username`.
    public var user: String?
    /// The user's password: `sasl.password`.
    public var password: String?
    /// A file with the password, optionally followed by a line break.
    public var passwordFile: String?
    /// A file with the CA certificates that verify the brokers' certificates: `ssl.ca.location`.
    public var caFile: String?
    /// The SASL mechanism: `sasl.mechanism`.
    public var mechanism: String?
    /// The protocol for the brokers: `security.protocol`.
    public var securityProtocol: String?

    /// Creates an access without any part.
    public init() {}

    /// The broker client's settings, including this access.
    /// - Parameters:
    ///   - settings: The other settings; they override the file, and the parts set here override them.
    ///   - faults: Receives the faults, without any values.
    func merged(with settings: [String: String], _ faults: inout [String]) -> [String: String] {
        var merged = fileSettings(&faults).merging(settings) { $1 }
        if let user {
            merged["sasl.username"] = user
            if merged["sasl.mechanism"] == nil, merged["sasl.mechanisms"] == nil { merged["sasl.mechanism"] = "PLAIN" }
        }
        if let password = password ?? passwordInFile(&faults) { merged["sasl.password"] = password }
        if let caFile { merged["ssl.ca.location"] = caFile }
        if let mechanism {
            merged["sasl.mechanisms"] = nil
            merged["sasl.mechanism"] = mechanism
        }
        if let securityProtocol {
            merged["security.protocol"] = securityProtocol
        } else if merged["security.protocol"] == nil {
            merged["security.protocol"] = user != nil ? "sasl_ssl" : caFile != nil ? "ssl" : nil
        }
        return merged
    }

    private func passwordInFile(_ faults: inout [String]) -> String? {
        passwordFile.flatMap { SecretFile.secret(in: $0, "DIONYSUS_BROKER_PASSWORD_FILE", &faults) }
    }

    private func fileSettings(_ faults: inout [String]) -> [String: String] {
        let name = "DIONYSUS_BROKER_SETTINGS_FILE"
        guard let settingsFile, let text = SecretFile.text(of: settingsFile, name, &faults) else { return [:] }
        var settings: [String: String] = [:]
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.drop(while: \.isBlank)
            if line.isEmpty || line.hasPrefix("#") { continue }
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let setting = String(parts[0].reversed().drop(while: \.isBlank).reversed())
            guard parts.count == 2, AddressDisplay.exists(setting) else {
                faults.append(
                    "\(name): line \(index + 1) of \(settingsFile) is not a name=value setting of the broker's client"
                )
                continue
            }
            settings[setting] = String(parts[1].drop(while: \.isBlank))
        }
        return settings
    }
}

extension Character {
    fileprivate var isBlank: Bool { self == " " || self == "\t" }
}
