//! What drivers get, frame by frame: a packet socket on each device, for the frames of this check alone.
//!
//! The kernel hands each packet to such sockets between software segmentation and the driver (`dev_queue_xmit_nit`, called by `xmit_one` after
//! `validate_xmit_skb`; 5.10 to 6.18), and `PACKET_VNET_HDR` says of each whether it is a super-packet. So it does not matter what a driver counts, nor
//! what others send.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use super::{
    frames::{DESTINATION_4, DESTINATION_6, SOURCE_4, SOURCE_6},
    socket,
    stack::{Device, Level},
};
use crate::model::checked::Tapped;

/// Where an IP header of ours can begin: behind Ethernet and up to two tags, behind GRE, and behind VXLAN or GENEVE over either family, with a
/// tag or without. Ascending, as a packet that is too short for a look is not ours.
const IP_HEADERS_AT: [u32; 8] = [14, 18, 22, 52, 64, 68, 84, 88];
/// Of each frame: the first 128 bytes are more than are looked at.
const KEPT_BYTES: u32 = 128;
/// `struct virtio_net_hdr`: its second byte is the type.
const HEADER_BYTES: usize = 10;
const GSO_TYPE_AT: usize = 1;
/// `VIRTIO_NET_HDR_GSO_NONE`.
const NO_GSO: u8 = 0;
/// What a socket may hold: more than the kernel lets most have is what it lets them.
const BUFFER_BYTES: libc::c_int = 4 << 20;

/// Taps of all levels.
#[derive(Debug)]
pub(super) struct Taps {
    /// By level; None where one of its devices cannot be tapped.
    levels: Vec<Option<Vec<Tap>>>,
}

impl Taps {
    /// From here on each frame is kept. In the network namespace of this thread.
    pub(super) fn open(levels: &[Level]) -> Self {
        let of_level = |level: &Level| level.devices.iter().map(|device| Tap::open(device).ok()).collect();
        Self { levels: levels.iter().map(of_level).collect() }
    }

    /// What came since it was asked last, by level. None where it is not known.
    pub(super) fn read(&self) -> Vec<Option<Tapped>> {
        let of_level = |taps: &Vec<Tap>| {
            taps.iter().try_fold(Tapped::default(), |sum, tap| {
                let came = tap.read().ok()?;
                Some(Tapped { whole: sum.whole + came.whole, singles: sum.singles + came.singles })
            })
        };
        self.levels.iter().map(|level| level.as_ref().and_then(of_level)).collect()
    }
}

#[derive(Debug)]
struct Tap(OwnedFd);

impl Tap {
    fn open(device: &Device) -> io::Result<Self> {
        let tap = socket::open_raw()?;
        let buffer = BUFFER_BYTES;
        // What it cannot have is no error: it then holds less, and what it misses is counted.
        let _ = socket::set(&tap, libc::SOL_SOCKET, libc::SO_RCVBUF, &buffer);
        socket::set(&tap, libc::SOL_PACKET, socket::PACKET_VNET_HDR, &1_i32)?;
        let mut instructions = filter();
        let program = libc::sock_fprog {
            len: u16::try_from(instructions.len()).unwrap_or(u16::MAX),
            filter: instructions.as_mut_ptr(),
        };
        socket::set(&tap, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)?;
        socket::bind(&tap, device.ifindex, libc::ETH_P_ALL as u16)?;
        Ok(Self(tap))
    }

    /// An error where frames were missed.
    fn read(&self) -> io::Result<Tapped> {
        let mut tapped = Tapped::default();
        loop {
            match self.next_type() {
                Ok(NO_GSO) => tapped.singles += 1,
                Ok(_) => tapped.whole += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // A super-packet of a type that `struct virtio_net_hdr` cannot tell: of UDP, before 6.2 (`packet_rcv_vnet`).
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => tapped.whole += 1,
                Err(error) => return Err(error),
            }
        }
        let missed = socket::missed(&self.0)?;
        if missed > 0 {
            return Err(io::Error::other(format!("{missed} frames found no room in the socket")));
        }
        Ok(tapped)
    }

    /// `gso_type` of the next frame's header.
    fn next_type(&self) -> io::Result<u8> {
        let mut header = [0_u8; HEADER_BYTES];
        // SAFETY: the buffer is as long as is said; the rest of the frame is cut off.
        let received = unsafe {
            libc::recv(self.0.as_raw_fd(), header.as_mut_ptr().cast(), header.len(), libc::MSG_DONTWAIT)
        };
        if received < 0 { Err(io::Error::last_os_error()) } else { Ok(header[GSO_TYPE_AT]) }
    }
}

/// Takes outgoing frames from and to the addresses of [`super::frames`], wherever their IP header is.
fn filter() -> Vec<libc::sock_filter> {
    let ipv4 = [(12, u32::from(SOURCE_4)), (16, u32::from(DESTINATION_4))];
    let last = |address: std::net::Ipv6Addr| address.to_bits() as u32;
    let first = (SOURCE_6.to_bits() >> 96) as u32;
    let ipv6 = [(8, first), (20, last(SOURCE_6)), (24, first), (36, last(DESTINATION_6))];
    // SKF_AD_OFF + SKF_AD_PKTTYPE.
    let packet_type = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE).cast_unsigned();
    let mut program = vec![
        statement(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, packet_type),
        jump(libc::PACKET_OUTGOING.into(), 1, 0),
        statement(libc::BPF_RET | libc::BPF_K, 0),
    ];
    for at in IP_HEADERS_AT {
        for family in [&ipv4[..], &ipv6] {
            // Each pair is a load and a jump; behind them all stands the return that takes the frame.
            for (position, (offset, value)) in family.iter().enumerate() {
                let left = family.len() - 1 - position;
                let past_the_return = u8::try_from(2 * left + 1).unwrap_or(u8::MAX);
                program.push(statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at + offset));
                program.push(jump(*value, 0, past_the_return));
            }
            program.push(statement(libc::BPF_RET | libc::BPF_K, KEPT_BYTES));
        }
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, 0));
    program
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Compares what was loaded.
fn jump(value: u32, if_equal: u8, otherwise: u8) -> libc::sock_filter {
    let code = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    libc::sock_filter { code, jt: if_equal, jf: otherwise, k: value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::{
            frames::{Envelope, VIRTIO_NET_HDR_BYTES, build},
            shape::{Limits, shape},
        },
        model::checked::Type,
    };

    const OUTGOING: u32 = 4;

    /// Runs the filter as `net/core/filter.c` does, for what it uses. Returns how much is kept.
    fn kept(frame: &[u8], packet_type: u32) -> u32 {
        let (mut at, mut accumulator) = (0_usize, 0_u32);
        let program = filter();
        loop {
            let instruction = &program[at];
            at += 1;
            match u32::from(instruction.code) {
                code if code == libc::BPF_RET | libc::BPF_K => return instruction.k,
                code if code == libc::BPF_LD | libc::BPF_B | libc::BPF_ABS => accumulator = packet_type,
                code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    let from = instruction.k as usize;
                    let Some(bytes) = frame.get(from..from + 4) else { return 0 };
                    accumulator = u32::from_be_bytes(bytes.try_into().unwrap());
                }
                _ if accumulator == instruction.k => at += usize::from(instruction.jt),
                _ => at += usize::from(instruction.jf),
            }
        }
    }

    fn frame(kind: Type) -> Vec<u8> {
        let limits = Limits { mtu_bytes: 1500, gso_max_bytes: 65_536, gso_max_segs: 65_535 };
        let tagged = kind == Type::Tcp4Vlan;
        let envelope = Envelope { source: [2; 6], destination: [2; 6], tagged };
        let frame = build(kind, &shape(kind, &limits, tagged).unwrap(), &envelope).unwrap();
        frame.bytes[VIRTIO_NET_HDR_BYTES..].to_vec()
    }

    #[test]
    fn each_type_is_taken_when_it_goes_out_also_inside_a_tunnel() {
        for kind in Type::ALL {
            let plain = frame(kind);
            assert_eq!(kept(&plain, OUTGOING), KEPT_BYTES, "{kind:?}");
            assert_eq!(kept(&plain, 0), 0, "{kind:?} that came in");
            let inside_vxlan = [[0_u8; 50].as_slice(), &plain].concat();
            assert_eq!(kept(&inside_vxlan, OUTGOING), KEPT_BYTES, "{kind:?}");
        }
    }

    #[test]
    fn what_others_send_is_left_alone() {
        let mut others = frame(Type::Tcp4);
        others[29] ^= 1;
        assert_eq!(kept(&others, OUTGOING), 0);
        let mut others = frame(Type::Tcp6);
        others[53] ^= 1;
        assert_eq!(kept(&others, OUTGOING), 0);
        for length in 0..120 {
            assert_eq!(kept(&vec![0; length], OUTGOING), 0);
        }
    }
}
