import Dionysus

/// Why a broker refuses a client: read from librdkafka's words about a failed connection.
///
/// An unreachable broker is not a refusal.
enum Refusal {
    /// Parses one of librdkafka's messages.
    /// - Parameters:
    ///   - text: The message: `sasl_ssl://host:9093/bootstrap: what happened (after 4ms in state AUTH_REQ)`.
    ///   - hasBeenServed: Whether a broker has answered this client before. If so, its settings are right, and a closed
    ///     connection says nothing about them.
    static func read(_ text: String, hasBeenServed: Bool) -> DionysusError? {
        let failure = Failure(text)
        let (cause, advice): (String, String)
        if failure.says("SASL authentication error", "Failed to acquire SASL", "mechanism handshake failed") {
            guard !failure.says("Disconnected", "timed out", "Timed out", "transport failure") else { return nil }
            (cause, advice) = (
                failure.cause, "correct sasl.username, sasl.password and sasl.mechanism (DIONYSUS_BROKER_USER, ...)"
            )
        } else if failure.says("certificate verify failed", "certificate could not be verified") {
            (cause, advice) = (
                "its certificate can't be verified",
                "set ssl.ca.location (DIONYSUS_BROKER_CA_FILE) to the CA that signed it, and name the broker by a host "
                    + "in its certificate"
            )
        } else if failure.says("SSL alert number") {
            (cause, advice) = (
                "it rejects this client's certificate, or requires one (\(failure.alert))",
                "set ssl.certificate.location and ssl.key.location"
            )
        } else if failure.says(
            "PLAINTEXT broker listener",
            "wrong version number",
            "unexpected eof",
            "SSL connection closed by peer"
        ),
            !hasBeenServed
        {
            (cause, advice) = (
                "it does not speak TLS on this port",
                "set security.protocol to plaintext or sasl_plaintext, or name its TLS port"
            )
        } else if failure.says("Disconnected"), failure.says("in state APIVERSION_QUERY"), !hasBeenServed,
            !failure.says("ssl://")
        {
            (cause, advice) = (
                "it closes the connection at the first request, as a TLS port does",
                "set security.protocol to ssl or sasl_ssl, or name a port without TLS"
            )
        } else if failure.says("Disconnected"), failure.says("in state UP"), !hasBeenServed, !failure.says("sasl_") {
            (cause, advice) = (
                "it closes the connection before it answers, as a port that requires credentials does",
                "set security.protocol to sasl_ssl or sasl_plaintext, with sasl.mechanism, sasl.username and sasl.password"
            )
        } else {
            return nil
        }
        return DionysusError(.accessDenied, "Kafka at \(failure.address) refuses this client: \(cause)", advice: advice)
    }

    /// The message without the details that only librdkafka's developers need.
    static func words(of text: String) -> String { Failure(text).cause }

    private struct Failure {
        let text: String
        let address: String
        let cause: String

        init(_ line: String) {
            var text = line[...]
            if text.hasPrefix("[thrd:"), let end = text.range(of: "]: ") { text = text[end.upperBound...] }
            if text.hasPrefix("GroupCoordinator: ") { text = text.dropFirst("GroupCoordinator: ".count) }
            self.text = String(text)
            if let end = text.range(of: " (after ") { text = text[..<end.lowerBound] }
            var address = "its address"
            if let end = text.range(of: ": "), !text[..<end.lowerBound].contains(" ") {
                address = String(text[..<end.lowerBound]).replacing("/bootstrap", with: "")
                if let scheme = address.range(of: "://") { address = String(address[scheme.upperBound...]) }
                // A known broker's address is followed by its id.
                if let number = address.firstIndex(of: "/") { address = String(address[..<number]) }
                text = text[end.upperBound...]
            }
            self.address = address
            cause = String(text)
        }

        /// The TLS alert that the broker sent: `tlsv13 alert certificate required`.
        var alert: String {
            guard let end = cause.range(of: ": SSL alert number") else { return "TLS alert" }
            let before = cause[..<end.lowerBound]
            return before.range(of: "SSL routines::").map { String(before[$0.upperBound...]) } ?? "TLS alert"
        }

        func says(_ words: String...) -> Bool { words.contains { text.contains($0) } }
    }
}

extension DionysusError {
    /// The user lacks an ACL for an operation.
    static func denied(_ code: Code, _ operation: String, on resource: String, _ said: String) -> DionysusError {
        DionysusError(
            code,
            "Kafka denies this client's user the operation \(operation) on \(resource): \(said)",
            advice: "add an ACL that allows \(operation) on \(resource), see docs/kafka.md"
        )
    }
}
