import Dionysus
import DionysusTesting
import Testing

/// A part of a document that is expected.
@Suite(.timeLimit(.minutes(10))) struct PartialMatchTests {
    @Test("members that aren't expected don't matter, at any depth")
    func matches() throws {
        let match = PartialMatch(["a": 1, "b": ["c": [1, ["d": .null]]]])
        #expect(
            match.differences(from: ["z": 0, "a": .number("1.0"), "b": ["c": [1, ["d": .null, "e": 2]]]]).isEmpty
        )
        #expect(try match.find(in: [[:], ["a": 1, "b": ["c": [1, ["d": .null]]]]]) == 1)
    }

    @Test("differences say where they are")
    func differences() {
        let match = PartialMatch(["a": 1, "b": ["c": [1, "x"]], "d": [], "e": .null])
        #expect(
            match.differences(from: ["a": "1", "b": ["c": [1, "y"]], "d": [0]]) == [
                #"a: 1 is expected, and it is "1""#, #"b.c[1]: "x" is expected, and it is "y""#,
                "d: 0 elements are expected, and there are 1", "e: null is missing",
            ]
        )
    }

    @Test("of several that don't match, the closest is shown")
    func closest() {
        let match = PartialMatch(["a": 1, "b": 2])
        let error = #expect(throws: ExpectationFailure.self) { try match.find(in: [[:], ["a": 1, "b": 3], [:]]) }
        #expect(error?.actual.contains(#"the closest of 3, {"a":1,"b":3}"#) == true)
        #expect(error?.actual.contains("b: 2 is expected, and it is 3") == true)
        #expect(throws: ExpectationFailure.self) { try match.find(in: []) }
    }
}
