import CLibpq
import Dionysus

import struct Foundation.CharacterSet
import class Foundation.ProcessInfo

/// A connection string as libpq reads it: which server it names, what of it may be shown, and whether the server will
/// be verified.
package struct ConnectionString: Sendable {
    /// Host, port and database, for messages.
    package let location: String
    /// The string as a URL, with `***` in the place of what is secret.
    package let shown: String
    /// Why the connection could be read or changed by who is between; nil if it can't, or doesn't leave the machine.
    package let caution: String?

    /// Reads a connection string.
    /// - Parameter text: `postgres://user:password@host:port/database?sslmode=…`, or `keyword=value …`.
    /// - Throws: ``DionysusError`` with code `configuration`, which shows nothing of the string.
    package init(_ text: String) throws {
        let options = try Self.options(of: text)
        func value(_ keyword: String) -> String? {
            options.first { $0.keyword == keyword }?.value.flatMap { $0.isEmpty ? nil : $0 }
        }
        let hosts = Self.list(value("host") ?? value("hostaddr"))
        let ports = Self.list(value("port"))
        guard !Self.hasStrayDelimiter(text), hosts.allSatisfy(Self.isHost), ports.allSatisfy(Self.isPort) else {
            // What stands in the place of the host may be the end of the password, and would be looked up as a name.
            throw DionysusError(
                .configuration,
                "the PostgreSQL URL has a host or a port that can't be one, as when @, / or : of a password is not encoded",
                advice: Self.advice
            )
        }
        let host = value("host") ?? value("hostaddr") ?? "localhost"
        location = "\(host):\(value("port") ?? "5432")/\(value("dbname") ?? "")"
        shown = Self.shown(options, hosts, ports)
        let mode = value("sslmode") ?? Self.environment("PGSSLMODE") ?? "prefer"
        let reached = Self.list(value("hostaddr") ?? value("host") ?? Self.environment("PGHOST"))
        let isLocal = reached.allSatisfy(Self.isLoopback)
        caution =
            isLocal || mode == "verify-full"
            ? nil
            : "PostgreSQL at \(location) isn't verified (sslmode=\(mode)): who is between can pass for it. "
                + "Set sslmode=verify-full, and sslrootcert to the certificate of who signed the server's"
    }

    // MARK: Reading

    private struct Option {
        let keyword: String
        let value: String?
        let isSecret: Bool
    }

    private static let advice =
        "write it as postgres://user:password@host:port/database?sslmode=…, "
        + "and %XX for characters that mean something in a URL: %40 for @, %2F for /, %3A for :"

    private static func options(of text: String) throws -> [Option] {
        // libpq's own message may quote the password.
        guard text.contains("=") || isURL(text), let parsed = PQconninfoParse(text, nil) else {
            throw DionysusError(.configuration, "the PostgreSQL URL can't be understood", advice: advice)
        }
        defer { PQconninfoFree(parsed) }
        var options: [Option] = []
        var option = parsed
        while let keyword = option.pointee.keyword {
            let keyword = String(cString: keyword)
            let display = option.pointee.dispchar.map { String(cString: $0) } ?? ""
            options.append(
                Option(
                    keyword: keyword,
                    value: option.pointee.val.map { String(cString: $0) },
                    // Options of the server's own can hold anything.
                    isSecret: display.contains("*") || keyword == "options"
                )
            )
            option += 1
        }
        return options
    }

    private static func isURL(_ text: String) -> Bool {
        text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
    }

    /// Whether an `@` stands where libpq doesn't take it for the end of the password: behind a slash, or behind another.
    private static func hasStrayDelimiter(_ text: String) -> Bool {
        guard isURL(text), let scheme = text.range(of: "://") else { return false }
        let rest = text[scheme.upperBound...].prefix { $0 != "?" }
        guard let at = rest.firstIndex(of: "@") else { return false }
        return rest[..<at].contains("/") || rest[rest.index(after: at)...].contains("@")
    }

    private static func list(_ text: String?) -> [String] {
        text.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) } ?? []
    }

    private static func isHost(_ host: String) -> Bool {
        // The directory of a Unix socket, or an abstract one.
        if host.hasPrefix("/") { return true }
        return host.drop { $0 == "@" }.utf8
            .allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                    UInt8(ascii: ":"), UInt8(ascii: "%"), 0x80...:
                    true
                default: false
                }
            }
    }

    private static func isPort(_ port: String) -> Bool { port.isEmpty || UInt16(port) != nil }

    private static func isLoopback(_ host: String) -> Bool {
        host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@") || host == "localhost" || host == "::1"
            || host.hasPrefix("127.")
    }

    private static func environment(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    // MARK: Showing

    private static func shown(_ options: [Option], _ hosts: [String], _ ports: [String]) -> String {
        var url = "postgres://"
        let isSocket = hosts.contains { $0.hasPrefix("/") || $0.hasPrefix("@") }
        func value(_ keyword: String) -> String? { options.first { $0.keyword == keyword }?.value }
        if let user = value("user") { url += encoded(user) }
        if value("password") != nil { url += ":***" }
        if value("user") ?? value("password") != nil { url += "@" }
        if !isSocket {
            url += hosts.indices
                .map { index in
                    let host = hosts[index].contains(":") ? "[\(hosts[index])]" : hosts[index]
                    let port = index < ports.count ? ports[index] : ports.count == 1 ? ports[0] : ""
                    return port.isEmpty ? host : "\(host):\(port)"
                }
                .joined(separator: ",")
        }
        url += "/" + encoded(value("dbname") ?? "")
        let inURL = ["user", "password", "dbname"] + (isSocket || hosts.isEmpty ? [] : ["host", "port"])
        let parameters = options.filter { option in
            if option.keyword == "hostaddr", value("host") == nil { return false }
            return option.value != nil && !inURL.contains(option.keyword)
        }
        let texts = parameters.map { "\($0.keyword)=\($0.isSecret ? "***" : encoded($0.value ?? ""))" }
        return texts.isEmpty ? url : "\(url)?\(texts.joined(separator: "&"))"
    }

    private static func encoded(_ text: String) -> String {
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._~/,:"))
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? "***"
    }
}
