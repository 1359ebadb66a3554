import Dionysus
import DionysusEvents
import Testing

@testable import StreamTool

/// The test kit: given, when, then.
@Suite struct SpecificationTests {
    @Test func `a decider is specified by events and a command`() throws {
        let account = Specification(Accounts())
        try account.when(.open(owner: "Ada")).then(Opened(owner: "Ada"))
        try account.given(Opened(owner: "Ada"), Deposited(amount: 2)).when(.deposit(3)).then(Deposited(amount: 3))
        try account.given(Opened(owner: "Ada")).when(.open(owner: "Bob")).thenNothing()
        try account.given(Opened(owner: "Ada"), Closed()).when(.deposit(3)).thenThrows(Accounts.Refused.self)
        try account.given(Opened(owner: "Ada")).when(.deposit(3)).thenState { #expect($0.balance == 3) }
    }

    @Test func `a failure shows where the events differ`() throws {
        let outcome = Specification(Accounts()).given(Opened(owner: "Ada")).when(.deposit(3))
        let failure = #expect(throws: SpecificationFailure.self) {
            try outcome.then(Opened(owner: "Ada"), Deposited(amount: 4))
        }
        #expect(
            failure?.description == """
                the events differ, expected (-) and decided (+):
                  - Opened{"owner":"Ada"}
                  - Deposited{"amount":4}
                  + Deposited{"amount":3}
                """
        )
        let allowed = #expect(throws: SpecificationFailure.self) { try outcome.thenThrows(Accounts.Refused.self) }
        #expect(allowed?.description.contains("+ Deposited{\"amount\":3}") == true)
        #expect(throws: SpecificationFailure.self) { try Specification(Accounts()).when(.deposit(3)).thenNothing() }
        #expect(throws: SpecificationFailure.self) {
            try Specification(Accounts()).when(.deposit(3)).thenThrows(Accounts.Refused.self) { $0.reason == "other" }
        }
    }

    @Test func `a process manager is specified by events and timers`() throws {
        let process = ProcessSpecification(Welcome())
        try process.when(Opened(owner: "Ada"), in: account)
            .then {
                $0.append(Deposited(amount: 10), to: StreamName("gift", "1"))
                $0.schedule("idle", at: Welcome.due, ["after": "opening"])
            }
        try process.when(Deposited(amount: 1), in: account).thenNothing()
        let opened = try process.given(Opened(owner: "Ada"), in: account)
        try opened.when(Deposited(amount: 1), in: account).then { $0.cancel("idle") }
        try opened.when(timer: "idle", of: "1").then { $0.execute(.close, on: "1", Welcome().accounts) }
        let failure = #expect(throws: SpecificationFailure.self) {
            try opened.when(Closed(), in: account).thenNothing()
        }
        #expect(failure?.description == "the effects differ, expected (-) and actual (+):\n  + stop")
        try opened.given(Closed(), in: account).when(timer: "idle", of: "1").thenNothing()
    }
}
