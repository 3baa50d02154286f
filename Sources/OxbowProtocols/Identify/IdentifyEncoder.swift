public import OxbowWire

/// Writes one identification as the messages that peers can read.
public enum IdentifyEncoder {
    /// The bytes to send, then to be followed by the end of our side.
    ///
    /// What fits into 4 KiB is one message. Otherwise single fields come first, then protocols and addresses as far as
    /// they fit, more messages with the rest, and the signed record at the end: merged by the reader they give the
    /// same, and a reader that looks at the first message only gets what it needs most.
    ///
    /// - Throws: ``IdentifyError/tooLargeToSend(messages:limit:)``,
    ///   ``IdentifyError/recordTooLargeToSend(size:limit:)``.
    public static func encode(_ message: IdentifyMessage) throws(IdentifyError) -> [UInt8] {
        let messages = split(message)
        guard messages.count <= IdentifyMessage.maximumMessages else {
            throw .tooLargeToSend(messages: messages.count, limit: IdentifyMessage.maximumMessages)
        }
        var output: [UInt8] = []
        for message in messages {
            let body = message.encoded()
            guard body.count <= IdentifyMessage.maximumSize else {
                throw .recordTooLargeToSend(size: body.count, limit: IdentifyMessage.maximumSize)
            }
            output += LengthDelimited.encode(body)
        }
        return output
    }

    private static func split(_ whole: IdentifyMessage) -> [IdentifyMessage] {
        guard whole.encoded().count > Identify.splitSize else { return [whole] }
        var messages: [IdentifyMessage] = []
        var current = whole
        current.protocols = []
        current.listenAddresses = []
        current.signedPeerRecord = nil
        var size = current.encoded().count
        // An element of a list is its field number, its length (at most two bytes up to 16 KiB) and its bytes.
        func makeRoom(_ count: Int) {
            if size > 0, size + count + 3 > Identify.splitSize {
                messages.append(current)
                current = IdentifyMessage()
                size = 0
            }
            size += count + 3
        }
        for name in whole.protocols {
            makeRoom(name.utf8.count)
            current.protocols.append(name)
        }
        for address in whole.listenAddresses {
            makeRoom(address.count)
            current.listenAddresses.append(address)
        }
        if let record = whole.signedPeerRecord {
            makeRoom(record.count)
            current.signedPeerRecord = record
        }
        return messages + [current]
    }
}
