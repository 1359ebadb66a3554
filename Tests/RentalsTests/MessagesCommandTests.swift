import Dionysus
import TestSupport
import Testing

/// The command that shows a topic's messages.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct MessagesCommandTests {
    @Test("messages are shown decoded, with how far it has read", arguments: InstallationKind.available)
    func decoded(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.publishAccounts(1...6)
            let report = try await installation.messages("v3_accounts")
            #expect(report.messages.count == 6)
            #expect(Set(report.messages.compactMap { $0["key"] }) == Set((1...6).map { .string("Account:\($0)") }))
            for message in report.messages {
                #expect(message["events"]?.first?["event"] == .string("account_created"))
                #expect(message["events"]?.first?["model_name"] == .string("Account"))
                #expect(message["events"]?.first?["data"]?.first?["name"] == .string("Acme"))
                #expect(message["problem"] == .null && message["raw"] == .null && message["tombstone"] == .bool(false))
            }
            #expect(report.looked.count == 4)
            #expect(report.looked.allSatisfy { $0["to"] == $0["end"] && $0["from"] == .integer(0) })
            #expect(report.shown == .integer(6))

            let text = try await installation.succeed("messages", "v3_accounts")
            #expect(text.contains("account_created Account [{\"id\":1,"))
            #expect(text.contains("dionysus-version: "))
            #expect(text.contains("6 messages shown; read from v3_accounts:"))
            #expect(text.contains("PARTITION  FROM  TO  END  MESSAGES"))
        }
    }

    @Test("messages are filtered by key, partition, position and number", arguments: InstallationKind.available)
    func chosen(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.publishAccounts(1...8)
            let all = try await installation.messages("v3_accounts").messages
            let byKey = try await installation.messages("v3_accounts", "--key", "Account:3")
            #expect(byKey.messages.compactMap { $0["key"] } == [.string("Account:3")])
            #expect(byKey.looked.allSatisfy { $0["to"] == $0["end"] })

            guard case .integer(let partition)? = byKey.messages.first?["partition"] else {
                Issue.record("no partition")
                return
            }
            let inPartition = all.filter { $0["partition"] == .integer(partition) }
            let one = try await installation.messages("v3_accounts", "--partition", "\(partition)")
            #expect(one.messages == inPartition.sorted { $0.offset < $1.offset })
            #expect(one.looked.count == 1)
            let last = try await installation.messages(
                "v3_accounts",
                "--partition",
                "\(partition)",
                "--from",
                "latest-1"
            )
            #expect(last.messages == one.messages.suffix(1))
            let rest = try await installation.messages("v3_accounts", "--partition", "\(partition)", "--from", "1")
            #expect(rest.messages == Array(one.messages.dropFirst(1)))
            let limited = try await installation.messages("v3_accounts", "--limit", "3")
            #expect(limited.messages.count == 3 && limited.shown == .integer(3))
            #expect(try await installation.messages("v3_accounts", "--from", "latest").messages.isEmpty)
            #expect(try await installation.messages("v3_accounts", "--from", "latest-0").messages.isEmpty)
            #expect(try await installation.messages("v3_accounts", "--from", "99999").messages.isEmpty)
            #expect(try await installation.messages("v3_accounts", "--from", "latest-99").messages.count == 8)
        }
    }

    @Test("messages are read from a time")
    func fromTime() async throws {
        try await Installation.with(.embedded) { installation in
            try await installation.publishAccounts(1...3)
            #expect(
                try await installation.messages("v3_accounts", "--from", "2020-01-01T00:00:00Z").messages.count == 3
            )
            #expect(try await installation.messages("v3_accounts", "--from", "2999-01-01T00:00:00Z").messages.isEmpty)
        }
    }

    @Test("bytes in another format are shown as such", arguments: InstallationKind.available)
    func foreign(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            let values: [[UInt8]?] = [
                nil, Array("null".utf8), Array("no json \u{1b}[2J\u{9b}1m".utf8), Array(#"{"a":1}"#.utf8),
                Array(#"{"message":[{"event":"x"}]}"#.utf8), [0xff, 0xfe, 0x00], [], Array(#"{"message":[]}"#.utf8),
                Array("{\"message\":[{\"event\":\"e\",\"model_name\":\"M\",\"data\":[\"\u{9b}31m\u{202e}\"]}]}".utf8),
            ]
            try await installation.withBroker { broker in
                try await broker.createTopics([TopicSpecification(name: "foreign", partitions: 1)])
                let producer = try await broker.makeProducer(ProducerOptions(clientID: "test"))
                let results = await producer.send(
                    values.map { value in
                        OutgoingMessage(
                            topic: "foreign",
                            destination: .partition(0),
                            key: Array("k\u{1b}]0;title\u{7}".utf8),
                            value: value,
                            headers: [MessageHeader("h\u{1b}", [0x1b, 0xff])]
                        )
                    }
                )
                for result in results { _ = try result.get() }
                await producer.close(deadline: .seconds(5))
            }
            let report = try await installation.messages("foreign")
            #expect(report.messages.map { $0["offset"] } == values.indices.map { .integer(Int64($0)) })
            #expect(
                report.messages.map { $0["tombstone"] == .bool(true) }
                    == [true, true, false, false, false, false, false, false, false]
            )
            #expect(
                report.messages.map { $0["problem"] != .null }
                    == [false, false, true, true, true, true, true, false, false]
            )
            #expect(report.messages[3]["raw"] == .string(#"{"a":1}"#))
            #expect(report.messages[5]["raw"]?["hex"] == .string("fffe00"))
            #expect(report.messages[7]["events"] == .array([]))

            for output in [
                try await installation.succeed("messages", "foreign"),
                try await installation.succeed("messages", "foreign", "--json"),
            ] {
                let controls = output.unicodeScalars.filter { $0.properties.generalCategory == .control && $0 != "\n" }
                #expect(controls.isEmpty)
                #expect(!output.unicodeScalars.contains("\u{202e}"))
            }
        }
    }

    @Test("reading leaves the consumer's group and its offsets alone", arguments: InstallationKind.available)
    func leavesGroupAlone(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.publishAccounts(1...4)
            let consumer = try installation.start("consume")
            try await installation.messages("v3_accounts")
            try await installation.succeed("relay", "--until-empty")
            #expect(await consumer.terminate().status == 0)
            let lag = try await installation.succeed("lag", "--json")
            let reported = try await installation.messages("v3_accounts")
            #expect(reported.messages.count == 4)
            #expect(try await installation.succeed("lag", "--json") == lag)
            try await installation.replicateAndVerify()
        }
    }

    @Test("it follows new messages until the limit", arguments: InstallationKind.available)
    func follow(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.publishAccounts(1...2)
            let following = try installation.start(["messages", "v3_accounts", "--follow", "--limit", "5", "--json"])
            try await installation.publishAccounts(3...5)
            let result = await following.result()
            #expect(result.status == 0)
            #expect(try MessagesReport(result.output).messages.count == 5)
        }
    }

    @Test("after Ctrl-C it prints how far it has read", arguments: InstallationKind.available)
    func interrupted(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.publishAccounts(1...2)
            let following = try installation.start(["messages", "v3_accounts", "--follow"])
            while !Task.isCancelled, following.output.components("account_created") < 2 { await Task.yield() }
            following.signal(2)
            let result = await following.result()
            #expect(result.status == 0)
            #expect(result.output.contains("2 messages shown; read from v3_accounts:"))
        }
    }

    @Test("an empty topic is read, and a missing one is reported", arguments: InstallationKind.available)
    func absent(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("topics", "--create")
            let empty = try await installation.messages("v3_accounts")
            #expect(empty.messages.isEmpty && empty.looked.count == 4)
            let absent = try await installation.run("messages", "v3_ghosts")
            #expect(absent.status == 1)
            #expect(absent.errors.contains("the broker has no topic v3_ghosts"))
            let partition = try await installation.run("messages", "v3_accounts", "--partition", "9")
            #expect(partition.status == 1)
            #expect(partition.errors.contains("there is no partition 9 in v3_accounts, which has 4"))
        }
    }

    @Test(
        "wrong usage is reported",
        arguments: [
            ["messages"], ["messages", "t", "--from", "yesterday"], ["messages", "t", "--from", "latest-x"],
            ["messages", "t", "--from", "-1"], ["messages", "t", "--limit", "0"],
            ["messages", "t", "--partition", "-2"], ["messages", "t", "--from", "latest-99999999999999999999"],
        ]
    )
    func wrongUsage(_ arguments: [String]) async throws {
        try await Installation.with(.embedded) { installation in
            let result = try await installation.run(arguments)
            #expect(result.status == 64)
            let help = try await installation.succeed("messages", "--help")
            #expect(help.contains("JSON: an object"))
        }
    }
}

/// The command's JSON output.
private struct MessagesReport {
    let messages: [JSON]
    let looked: [JSON]
    let shown: JSON?

    init(_ output: String) throws {
        let report = try JSON(parsing: Array(output.utf8))
        messages = report["messages"]?.elements ?? []
        looked = report["looked"]?.elements ?? []
        shown = report["shown"]
    }
}

extension Installation {
    @discardableResult
    fileprivate func messages(_ arguments: String...) async throws -> MessagesReport {
        let result = try await run(["messages"] + arguments + ["--json"])
        #expect(result.status == 0, "\(arguments): \(result.errors)")
        return try MessagesReport(result.output)
    }

    /// Writes accounts and publishes them.
    fileprivate func publishAccounts(_ ids: ClosedRange<Int>) async throws {
        try await succeed("migrate")
        try await succeed("topics", "--create")
        for id in ids { try await write("INSERT INTO accounts (id, name) VALUES (\(id), 'Acme');") }
        try await succeed("relay", "--until-empty")
    }
}

extension JSON {
    fileprivate var elements: [JSON] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    fileprivate var first: JSON? { elements.first }

    fileprivate var offset: Int64 {
        guard case .integer(let offset)? = self["offset"] else { return -1 }
        return offset
    }
}

extension String {
    fileprivate func components(_ part: String) -> Int { ranges(of: part).count }
}
