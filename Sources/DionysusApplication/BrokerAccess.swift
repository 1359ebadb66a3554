import DionysusKafka
import Foundation

/// How a Kafka cluster lets the application in: each part apart, so that each can come from a place of its own.
///
/// Where a user is named and nothing else is said, it is PLAIN over TLS; where only an authority is named, TLS.
public struct BrokerAccess: Sendable {
    /// A file with settings of the broker's client, a line `name=value` each; lines that begin with `#` are comments.
    ///
    /// Values are taken as they are, to the end of their line. `DIONYSUS_BROKER_SETTINGS` counts over the file.
    public var settingsFile: String?
    /// The user: `sasl.username`.
    public var user: String?
    /// The user's password: `sasl.password`.
    public var password: String?
    /// A file that holds the password, and perhaps a line's end behind it.
    public var passwordFile: String?
    /// A file with the certificates of the authorities that the brokers' are verified with: `ssl.ca.location`.
    public var caFile: String?
    /// How the user shows who it is: `sasl.mechanism`.
    public var mechanism: String?
    /// What is spoken with the brokers: `security.protocol`.
    public var securityProtocol: String?

    /// Creates an access that says nothing.
    public init() {}

    /// The settings of the broker's client with what is said here.
    /// - Parameters:
    ///   - settings: Those that are set besides: they count over the file, and what is named here over them.
    ///   - faults: Gets what is wrong, without any value.
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
        guard let passwordFile else { return nil }
        guard let text = Self.text(of: passwordFile, "DIONYSUS_BROKER_PASSWORD_FILE", &faults) else { return nil }
        // A line's end of two characters is one, as Swift counts.
        return text.last?.isNewline == true ? String(text.dropLast()) : text
    }

    private func fileSettings(_ faults: inout [String]) -> [String: String] {
        let name = "DIONYSUS_BROKER_SETTINGS_FILE"
        guard let settingsFile, let text = Self.text(of: settingsFile, name, &faults) else { return [:] }
        var settings: [String: String] = [:]
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.drop(while: \.isBlank)
            if line.isEmpty || line.hasPrefix("#") { continue }
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let setting = String(parts[0].reversed().drop(while: \.isBlank).reversed())
            guard parts.count == 2, SettingsDisplay.exists(setting) else {
                faults.append(
                    "\(name): line \(index + 1) of \(settingsFile) is not a name=value setting of the broker's client"
                )
                continue
            }
            settings[setting] = String(parts[1].drop(while: \.isBlank))
        }
        return settings
    }

    private static func text(of path: String, _ name: String, _ faults: inout [String]) -> String? {
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8)
        else {
            faults.append("\(name): \(path) can't be read")
            return nil
        }
        return text
    }
}

extension Character {
    fileprivate var isBlank: Bool { self == " " || self == "\t" }
}
