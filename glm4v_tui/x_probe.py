import torch, time, sys
import triton, triton.language as tl
from glm4v_tui.inference.quantized.kernels import int8_rows, nf4_pack, require_kernels
from glm4v_tui.inference.kernels import Int8
from glm4v_tui.inference.kernels.unpack import unpack_nf4
require_kernels()
@triton.jit
def flat(w, out, n, BLOCK: tl.constexpr):
    i=tl.program_id(0)*BLOCK+tl.arange(0,BLOCK)
    tl.store(out+i, tl.load(w+i, mask=i<n).to(tl.float32).to(tl.bfloat16), mask=i<n)
def t(f,n=20):
    f(); torch.cuda.synchronize(); s=time.perf_counter()
    for _ in range(n): f()
    torch.cuda.synchronize(); return (time.perf_counter()-s)/n
R,C=8192,4096
w=torch.randn(R,C,device="cuda",dtype=torch.bfloat16); ws=[int8_rows(torch.randn_like(w))[0] for _ in range(4)]
out=torch.empty_like(w); k=[0]
def nxt(): k[0]=(k[0]+1)%4; return ws[k[0]]
print("copy_ us", t(lambda: out.copy_(nxt()))*1e6, "ideal", 3*R*C/3e6)
for B,W in ((2048,4),(4096,8),(4096,4),(8192,8),(1024,4)):
    print("flat",B,W, t(lambda: flat[(triton.cdiv(R*C,B),)](nxt(),out,R*C,BLOCK=B,num_warps=W))*1e6)
n=[nf4_pack(torch.randn_like(w)) for _ in range(4)]
import glm4v_tui.inference.kernels.unpack as U
def nn(): k[0]=(k[0]+1)%4; return n[k[0]]
for Wd in (128,256,512,1024):
    U._WORDS=Wd; print("nf4",Wd, t(lambda: U.unpack_nf4(nn(),0,out))*1e6, "ideal",2.5*R*C/3e6)
x=torch.randn(1676,4096,device="cuda",dtype=torch.bfloat16); r=torch.empty(1676,8192,device="cuda",dtype=torch.bfloat16)
print("mm us", t(lambda: torch.mm(x,out.t(),out=r))*1e6, "scale", t(lambda: r.mul_(r[0]))*1e6)
from triton.testing import do_bench
