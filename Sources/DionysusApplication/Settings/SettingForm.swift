import Dionysus
import DionysusProducer
import DionysusSchemas
import Foundation

/// How the text of a setting is read and shown.
struct SettingForm<Value: Sendable>: Sendable {
    /// The form that its text must have.
    let expected: String
    /// The unit of its text, added to what is said about a setting.
    var unit = ""
    var isSecret = false
    let show: @Sendable (Value) -> String
    /// Reads the text; nil if it is invalid.
    let parse: @Sendable (String) -> Value?
}

extension SettingForm<String> {
    static var text: Self { Self(expected: "text", show: \.self, parse: { $0 }) }

    static var url: Self { Self(expected: "a URL", show: shownURL, parse: { $0 }) }

    static var broker: Self { Self(expected: "text", show: shownBroker, parse: { $0 }) }
}

extension SettingForm<String?> {
    static var optional: Self { Self(expected: "text", show: { $0 ?? "" }, parse: { .some($0.isEmpty ? nil : $0) }) }

    static var secret: Self {
        Self(
            expected: "text",
            isSecret: true,
            show: { $0 == nil ? "" : "***" },
            parse: { .some($0.isEmpty ? nil : $0) }
        )
    }
}

extension SettingForm<Bool> {
    static var flag: Self {
        Self(
            expected: "true or false",
            show: { "\($0)" },
            parse: { ["true": true, "1": true, "yes": true, "false": false, "0": false, "no": false][$0.lowercased()] }
        )
    }
}

extension SettingForm<Int> {
    static var number: Self { Self(expected: "a whole number", show: { "\($0)" }, parse: { Int($0) }) }
}

extension SettingForm<Int?> {
    static var optionalNumber: Self {
        Self(
            expected: "a whole number",
            show: { $0.map(String.init) ?? "" },
            parse: { text in text.isEmpty ? .some(nil) : Int(text).map { .some($0) } }
        )
    }
}

extension SettingForm<MemoryBudget> {
    static var memory: Self {
        Self(
            expected: MemorySize.form,
            show: { MemorySize($0.size).description },
            parse: { MemorySize(argument: $0).map { MemoryBudget(bytes: $0.bytes) } }
        )
    }
}

extension SettingForm<Duration> {
    static var milliseconds: Self {
        Self(
            expected: "a whole number of milliseconds",
            unit: ", in ms",
            show: { "\($0.components.seconds * 1_000 + $0.components.attoseconds / 1_000_000_000_000_000)" },
            parse: { text in Int(text).flatMap { $0 >= 0 ? .milliseconds($0) : nil } }
        )
    }

    static var period: Self {
        Self(expected: Age.form, show: { Age($0).description }, parse: { Age(argument: $0)?.duration })
    }
}

extension SettingForm<Duration?> {
    static var age: Self {
        Self(
            expected: Age.form,
            show: { $0.map { Age($0).description } ?? "" },
            parse: { text in text.isEmpty ? .some(nil) : Age(argument: text).map { .some($0.duration) } }
        )
    }
}

extension SettingForm where Value: RawRepresentable<String> & CaseIterable {
    static var choice: Self {
        Self(
            expected: "one of " + Value.allCases.map(\.rawValue).joined(separator: ", "),
            show: \.rawValue,
            parse: { Value(rawValue: $0) }
        )
    }
}

extension SettingForm {
    static func optionalChoice<Choice>() -> Self
    where Choice: RawRepresentable<String> & CaseIterable & Sendable, Value == Choice? {
        Self(
            expected: "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", ") + ", or empty",
            show: { $0?.rawValue ?? "" },
            parse: { text in text.isEmpty ? .some(nil) : Choice(rawValue: text).map { .some($0) } }
        )
    }
}

// MARK: Lists

extension SettingForm<[String]> {
    static var list: Self {
        Self(
            expected: "a list with commas",
            show: { $0.joined(separator: ",") },
            parse: { text in
                text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
            }
        )
    }

    /// The addresses of a schema registry.
    static var urls: Self {
        Self(
            expected: "addresses with http or https, with commas between",
            show: { $0.map(shownAddress).joined(separator: ",") },
            parse: { text in
                let urls = SchemaRegistrySettings.urls(text)
                let areAddresses = urls.allSatisfy { ["http", "https"].contains(URLComponents(string: $0)?.scheme) }
                return areAddresses ? urls : nil
            }
        )
    }
}

extension SettingForm<[ConsoleAccess.Token]> {
    /// Who may use the console.
    static var tokens: Self {
        Self(
            expected: "ROLE:NAME=SECRET;… with the roles read, operate and admin",
            isSecret: true,
            show: { $0.map { "\($0.role.rawValue):\($0.name)=***" }.joined(separator: ";") },
            parse: { ConsoleAccess.tokens($0) }
        )
    }
}

extension SettingForm<[String: String]> {
    /// Settings of the broker's client.
    static var clientSettings: Self {
        Self(
            // Unknown names aren't shown: they may be part of a password.
            expected: "broker client settings: name=value;name=\"value\", with a ; only in quotes",
            show: { AddressDisplay.shown($0).joined(separator: ";") },
            parse: { text in
                let pairs = parsePairs(text)
                return pairs?.keys.allSatisfy(AddressDisplay.exists) == true ? pairs : nil
            }
        )
    }

    static var topicSettings: Self {
        Self(
            expected: "pairs: name=value;name=value",
            show: { pairs in pairs.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ";") },
            parse: { parsePairs($0) }
        )
    }
}

extension SettingForm<[ChangesetKey]> {
    static var changesetKeys: Self {
        Self(
            expected: "keys: id:base64;id:base64",
            isSecret: true,
            show: { keys in keys.map { "\($0.id):***" }.joined(separator: ";") },
            parse: { text in
                let parts = text.split(separator: ";")
                let keys = parts.compactMap { ChangesetKey($0) }
                return keys.count == parts.count ? keys : nil
            }
        )
    }
}
